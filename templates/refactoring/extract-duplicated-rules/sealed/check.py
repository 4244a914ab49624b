"""Judges the shop: what its modules return, with the rules as they are and with others."""
import ast
import json
import random

import judged

RULES = json.load(open("/sealed/rules.json", encoding="utf-8"))
RULES["TAX_RATES"] = dict(zip(RULES["TAX_KINDS"], RULES["TAX"]))
RULES["DEFAULT_TAX_RATE"] = RULES["TAX"][3]
ROUNDING, INCLUSIVE, FREE_AT, QUIRK = RULES["rounding"], RULES["inclusive"], RULES["free_at"], RULES["quirk"]
CONSTANTS = ["DISCOUNT_TIERS", "TAX_RATES", "DEFAULT_TAX_RATE", "FREE_SHIPPING_FROM", "BASE_FEE", "INCLUDED_KILOS", "KILO_FEE"]
FUNCTIONS = ["percent_of", "discount_percent", "shipping_fee", "shipping", "tax_rate"]
MODULES = {"checkout": ["quote"], "invoice": ["render"], "refunds": ["refund, kept", "refund"]}
CHANGES = [
    {"DISCOUNT_TIERS": [[900, 7], [2500, 13], [RULES["FREE_SHIPPING_FROM"] + 900, 31]]},
    {"TAX_RATES": {RULES["TAX_KINDS"][0]: 33, "misc": 3, "x": 8}, "DEFAULT_TAX_RATE": 14},
    {"FREE_SHIPPING_FROM": RULES["FREE_SHIPPING_FROM"] - 777, "BASE_FEE": 1201},
    {"INCLUDED_KILOS": 8, "KILO_FEE": 222},
]

# Functions that stand behind the ones of rules.py, each with another result: who calls the function returns something else, who
# has a copy of it does not. They ask for nothing but the constants. `percent_of` of nothing stays nothing.
REPLACED = {
    "percent_of": "def percent_of(cents, percent):\n    return (cents * percent * 3 + 40) // 100\n",
    "discount_percent": "def discount_percent(goods):\n    return goods // 700 % 40\n",
    "shipping_fee": "def shipping_fee(weight):\n    return 5 + 13 * weight\n"
                    "def shipping(net, weight):\n    return 0 if net %s FREE_SHIPPING_FROM else 5 + 13 * weight\n" % (">=" if FREE_AT else ">"),
    "shipping": "def shipping(net, weight):\n    return BASE_FEE + max(0, weight - INCLUDED_KILOS) * KILO_FEE\n",
    "tax_rate": "def tax_rate(kind):\n    return 3 + len(kind) % 5\n",
}

DRIVER = r'''
import sys

FILE = "/work/shop/rules.py"


def fresh(name):
    return __import__("shop." + name, fromlist=["*"])


def shop(run, job):
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        del sys.modules[name]
    of = {name: fresh(name) for name in job["modules"]}
    rules = fresh("rules") if job["rules"] else None
    for key, value in run["set"].items():
        setattr(rules, key, [tuple(t) for t in value] if key == "DISCOUNT_TIERS" else value)
    return of, rules


def called(run, job):
    res = []
    of, rules = shop(run, job)
    for lines, weight in run["carts"]:
        lines = [tuple(line) for line in lines]
        goods = sum(line[1] for line in lines)
        got = []
        if "checkout" in of:
            got.append(of["checkout"].quote(lines, weight))
        if "invoice" in of:
            got.append(of["invoice"].render("X9", lines, weight))
        if "refunds" in of:
            got += [of["refunds"].refund(lines, weight, True), of["refunds"].refund(lines, weight, False)]
        if job["functions"]:
            got += [rules.percent_of(goods, 17), rules.discount_percent(goods), rules.shipping_fee(weight), rules.shipping(goods, weight),
                    [rules.tax_rate(line[0]) for line in lines]]
        res.append(got)
    return res


def answer(job):
    res = []
    if job["constants"]:
        rules = fresh("rules")
        return [getattr(rules, name) for name in job["constants"]]
    for run in job["runs"]:
        if not run["behind"]:
            res.append(called(run, job))
            continue
        with open(FILE, encoding="utf-8", newline="") as file:
            own = file.read()
        try:
            with open(FILE, "w", encoding="utf-8", newline="") as file:
                file.write(own + "\n\n" + run["behind"])
            res.append(called(run, job))
        finally:
            with open(FILE, "w", encoding="utf-8", newline="") as file:
                file.write(own)
    return res
'''


def percent_of(cents, percent):
    whole, rest = divmod(cents * percent, 100)
    return whole + {"down": False, "half_up": rest >= 50, "up": rest > 0}[ROUNDING]


def tier(R, goods):
    hit = [p for t, p in R["DISCOUNT_TIERS"] if goods > t or (INCLUSIVE and goods == t)]
    return hit[-1] if hit else 0


def fee(R, weight):
    return R["BASE_FEE"] + max(0, weight - R["INCLUDED_KILOS"]) * R["KILO_FEE"]


def is_free(R, net):
    return net > R["FREE_SHIPPING_FROM"] or (FREE_AT and net == R["FREE_SHIPPING_FROM"])


def shipping(R, net, weight):
    return 0 if is_free(R, net) else fee(R, weight)


def rate(R, kind):
    return R["TAX_RATES"].get(kind, R["DEFAULT_TAX_RATE"])


def row(label, cents):
    amount = "%s%d.%02d" % ("-" if cents < 0 else "", abs(cents) // 100, abs(cents) % 100)
    return label + " " * (34 - len(label) - len(amount)) + amount


def replaced(name):
    """The functions of the rules, of which those behind `name` are others. Each is called with the constants."""
    functions = {"percent_of": lambda R, cents, percent: percent_of(cents, percent), "discount_percent": tier, "shipping_fee": fee,
                 "shipping": shipping, "tax_rate": rate}
    others = {
        "percent_of": {"percent_of": lambda R, cents, percent: (cents * percent * 3 + 40) // 100},
        "discount_percent": {"discount_percent": lambda R, goods: goods // 700 % 40},
        "shipping_fee": {"shipping_fee": lambda R, weight: 5 + 13 * weight,
                         "shipping": lambda R, net, weight: 0 if is_free(R, net) else 5 + 13 * weight},
        "shipping": {"shipping": lambda R, net, weight: fee(R, weight)},
        "tax_rate": {"tax_rate": lambda R, kind: 3 + len(kind) % 5},
    }
    return dict(functions, **others.get(name, {}))


def expected(R, lines, weight, behind=None):
    """What the three modules and the functions of rules.py return for a cart."""
    call = {name: lambda *values, function=function: function(R, *values) for name, function in replaced(behind).items()}
    share = call["percent_of"]
    goods = sum(cents for _, cents in lines)
    percent = call["discount_percent"](goods)
    discount = share(goods, percent)
    ship = call["shipping"](goods - discount, weight)
    tax = sum(share(cents, call["tax_rate"](kind)) for kind, cents in lines)
    quote = {"goods": goods, "discount": discount, "shipping": ship, "tax": tax, "total": goods - discount + ship + tax}
    out = ["INVOICE X9", "=" * 34] + [row("%d. %s" % (i + 1, kind), cents) for i, (kind, cents) in enumerate(lines)]
    if discount:
        out.append(row("discount %d%%" % percent, -discount))
    out.append(row("shipping", ship) if ship else "shipping" + " " * 22 + "free")
    groups = {}
    for kind, cents in lines:
        groups.setdefault(call["tax_rate"](kind), []).append(share(cents, call["tax_rate"](kind)))
    out += [row("tax %d%%" % r, sum(groups[r])) for r in sorted(groups)]
    out += ["=" * 34, row("TOTAL", quote["total"])]
    lower = min(percent, R["DISCOUNT_TIERS"][0][1]) if QUIRK == "top_tier_capped" else percent
    off = share(goods, lower)
    given = sum(max(0, cents - 1) * call["tax_rate"](kind) // 100 for kind, cents in lines) if QUIRK == "tax_down" else tax
    if QUIRK == "one_tax":
        given = sum(share(cents, R["DEFAULT_TAX_RATE"]) for _, cents in lines)
    back = goods - off + given
    kept = call["shipping_fee"](weight) if QUIRK == "no_free_shipping" else call["shipping"](goods - off, weight)
    return {
        "quote": quote, "render": "\n".join(out) + "\n", "refund, kept": max(0, back - kept) if kept else back, "refund": back,
        "percent_of": percent_of(goods, 17), "discount_percent": percent, "shipping_fee": fee(R, weight),
        "shipping": shipping(R, goods, weight), "tax_rate": [rate(R, kind) for kind, _ in lines],
    }


# Where the refunds differ on purpose, they may do without the function.
OWN_WAY = {"top_tier_capped": "discount_percent", "tax_down": "percent_of", "one_tax": "tax_rate"}


def carts(R, seed=3, count=150):
    rng = random.Random(seed)
    kinds = sorted(R["TAX_RATES"]) + ["misc", "x"]
    edges = [t for t, _ in R["DISCOUNT_TIERS"]] + [R["FREE_SHIPPING_FROM"]]
    edges += [R["FREE_SHIPPING_FROM"] * 100 // (100 - p) for _, p in R["DISCOUNT_TIERS"]]
    res = [[[], 0], [[["misc", 0]], 1], [[["misc", 1]], 30]]
    for edge in edges:
        for delta in (-2, -1, 0, 1, 2):
            res.append([[[rng.choice(kinds), edge + delta]], rng.randrange(0, 9)])
            res.append([[[kinds[0], 700], [kinds[1], edge + delta - 700 - 33], [kinds[3], 33]], rng.randrange(0, 9)])
    for _ in range(count):
        res.append([[[rng.choice(kinds), rng.randrange(0, 8000)] for _ in range(rng.randrange(0, 6))], rng.randrange(0, 15)])
    return res


def run_of(changes=None, behind=None):
    """One way to call everything: `changes` are set in the rules before, or functions of them are replaced by `behind`."""
    changes = changes or {}
    R = dict(RULES, **changes)
    return {"set": changes, "name": behind, "behind": REPLACED.get(behind, ""), "carts": carts(R, count=30 if behind or changes else 150)}


PLAIN = [run_of()]
CHANGED = [run_of(changes) for changes in CHANGES]
BEHIND = [run_of(behind=name) for name in REPLACED]


def said(run):
    if run["name"]:
        return " with another function %s in shop/rules.py" % run["name"]
    return " with shop.rules.%s set to other values" % " and ".join(sorted(run["set"])) if run["set"] else ""


def compare(runs, modules=(), functions=False):
    """Calls the modules, or the functions of rules.py, for many carts."""
    names = [name for module in modules for name in MODULES[module]] + (FUNCTIONS if functions else [])
    job = {"modules": list(modules), "functions": functions, "constants": [], "runs": runs,
           "rules": functions or any(run["set"] for run in runs)}
    got = judged.ask(DRIVER, job, cwd="/")  # no module of the workspace stands in for json
    if not isinstance(got, list) or [len(answers) for answers in got] != [len(run["carts"]) for run in runs]:
        judged.fail("the number of answers", expected=[len(run["carts"]) for run in runs], found=got)
    for run, answers in zip(runs, got):
        asked = [name for name in names if not (run["name"] and name.startswith("refund") and OWN_WAY.get(QUIRK) == run["name"])]
        for (lines, weight), answer in zip(run["carts"], answers):
            want = expected(dict(RULES, **run["set"]), lines, weight, run["name"])
            found = [value for name, value in zip(names, answer) if name in asked]
            judged.expect("%s of lines %s, weight %d%s" % (", ".join(asked), lines, weight, said(run)), [want[name] for name in asked], found)


def parsed(name):
    try:
        return ast.parse(judged.submitted("shop/%s.py" % name))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as why:
        judged.fail("shop/%s.py is no Python" % name, found=why)


def behaviour():
    compare(PLAIN, MODULES)


def functions():
    compare(PLAIN + CHANGED, functions=True)


def constants():
    job = {"modules": [], "functions": False, "constants": CONSTANTS, "runs": [], "rules": True}
    judged.expect("the constants of shop/rules.py", [RULES[name] for name in CONSTANTS], judged.ask(DRIVER, job, cwd="/"))


def names():
    found = set()
    for node in parsed("rules").body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            found |= {part.id for part in ast.walk(target) if isinstance(part, ast.Name)} if target else set()
    judged.expect("the public names of shop/rules.py", sorted(CONSTANTS + FUNCTIONS), sorted(n for n in found if not n.startswith("_")))


def one_source():
    compare(CHANGED, MODULES)


def called():
    compare(BEHIND, MODULES)


def literals(modules=MODULES):
    numbers = {n for t in RULES["DISCOUNT_TIERS"] for n in t} | set(RULES["TAX"]) | {RULES[name] for name in CONSTANTS[3:]}
    numbers -= {0, 1, 2, 100, 34}
    for name in modules:
        imports = False
        for node in ast.walk(parsed(name)):
            if isinstance(node, ast.Constant) and type(node.value) is int and node.value in numbers:
                judged.fail("shop/%s.py, line %d" % (name, node.lineno), "no number of the rules", node.value)
            if isinstance(node, ast.Constant) and node.value in RULES["TAX_KINDS"]:
                judged.fail("shop/%s.py, line %d" % (name, node.lineno), "no name of a kind of goods", node.value)
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                imports |= module in ("shop.rules", "rules") or (module in ("shop", "") and any(a.name == "rules" for a in node.names))
            if isinstance(node, ast.Import):
                imports |= any(a.name == "shop.rules" for a in node.names)
        if not imports:
            judged.fail("the imports of shop/%s.py" % name, "one from shop.rules", "none")


def moved(name):
    """One module takes its rules from shop.rules, and returns what it returned before."""
    def check():
        literals([name])
        compare(PLAIN + CHANGED + BEHIND, [name])
    return check


judged.main({
    "behaviour": behaviour, "constants": constants, "functions": functions, "names": names, "one-source": one_source, "called": called,
    "literals": literals, "checkout": moved("checkout"), "invoice": moved("invoice"), "refunds": moved("refunds"),
})
