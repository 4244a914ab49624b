"""Judges the shop: what its modules return, with the rules as they are and with others."""
import ast
import json
import random

import judged

RULES = json.load(open("/sealed/rules.json", encoding="utf-8"))
RULES["TAX_RATES"] = dict(zip(RULES["TAX_KINDS"], RULES["TAX"]))
RULES["DEFAULT_TAX_RATE"] = RULES["TAX"][3]
HALF, INCLUSIVE, QUIRK = RULES["half"], RULES["inclusive"], RULES["quirk"]
CONSTANTS = ["DISCOUNT_TIERS", "TAX_RATES", "DEFAULT_TAX_RATE", "FREE_SHIPPING_FROM", "BASE_FEE", "INCLUDED_KILOS", "KILO_FEE"]
FUNCTIONS = ["percent_of", "discount_percent", "shipping_fee", "shipping", "tax_rate"]
MODULES = {"checkout": ["quote"], "invoice": ["render"], "refunds": ["refund, kept", "refund"]}
CHANGES = [
    {"DISCOUNT_TIERS": [[900, 7], [2500, 13], [RULES["FREE_SHIPPING_FROM"] + 900, 31]]},
    {"TAX_RATES": {RULES["TAX_KINDS"][0]: 33, "misc": 3, "x": 8}, "DEFAULT_TAX_RATE": 14},
    {"FREE_SHIPPING_FROM": RULES["FREE_SHIPPING_FROM"] - 777, "BASE_FEE": 1201},
    {"INCLUDED_KILOS": 8, "KILO_FEE": 222},
]

DRIVER = r'''
def answer(job):
    of = {name: __import__("shop." + name, fromlist=["*"]) for name in job["modules"]}
    rules = __import__("shop.rules", fromlist=["*"]) if job["rules"] else None
    for key, value in job["set"].items():
        setattr(rules, key, [tuple(t) for t in value] if key == "DISCOUNT_TIERS" else value)
    res = []
    if job["constants"]:
        res.append([getattr(rules, name) for name in job["constants"]])
    for lines, weight in job["carts"]:
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
'''


def percent_of(cents, percent):
    return (cents * percent + HALF) // 100


def tier(R, goods):
    hit = [p for t, p in R["DISCOUNT_TIERS"] if goods > t or (INCLUSIVE and goods == t)]
    return hit[-1] if hit else 0


def fee(R, weight):
    return R["BASE_FEE"] + max(0, weight - R["INCLUDED_KILOS"]) * R["KILO_FEE"]


def shipping(R, net, weight):
    return 0 if net >= R["FREE_SHIPPING_FROM"] else fee(R, weight)


def rate(R, kind):
    return R["TAX_RATES"].get(kind, R["DEFAULT_TAX_RATE"])


def row(label, cents):
    amount = "%s%d.%02d" % ("-" if cents < 0 else "", abs(cents) // 100, abs(cents) % 100)
    return label + " " * (34 - len(label) - len(amount)) + amount


def expected(R, lines, weight):
    """What the three modules and the functions of rules.py return for a cart."""
    goods = sum(cents for _, cents in lines)
    percent = tier(R, goods)
    discount = percent_of(goods, percent)
    ship = shipping(R, goods - discount, weight)
    tax = sum(percent_of(cents, rate(R, kind)) for kind, cents in lines)
    quote = {"goods": goods, "discount": discount, "shipping": ship, "tax": tax, "total": goods - discount + ship + tax}
    out = ["INVOICE X9", "=" * 34] + [row("%d. %s" % (i + 1, kind), cents) for i, (kind, cents) in enumerate(lines)]
    if discount:
        out.append(row("discount %d%%" % percent, -discount))
    out.append(row("shipping", ship) if ship else "shipping" + " " * 22 + "free")
    groups = {}
    for kind, cents in lines:
        groups.setdefault(rate(R, kind), []).append(percent_of(cents, rate(R, kind)))
    out += [row("tax %d%%" % r, sum(groups[r])) for r in sorted(groups)]
    out += ["=" * 34, row("TOTAL", quote["total"])]
    lower = min(percent, R["DISCOUNT_TIERS"][0][1]) if QUIRK == "top_tier_capped" else percent
    off = percent_of(goods, lower)
    given = sum(max(0, cents - 1) * rate(R, kind) // 100 for kind, cents in lines) if QUIRK == "tax_down" else tax
    back = goods - off + given
    kept = fee(R, weight) if QUIRK == "no_free_shipping" else shipping(R, goods - off, weight)
    return {
        "quote": quote, "render": "\n".join(out) + "\n", "refund, kept": max(0, back - kept) if kept else back, "refund": back,
        "percent_of": percent_of(goods, 17), "discount_percent": percent, "shipping_fee": fee(R, weight),
        "shipping": shipping(R, goods, weight), "tax_rate": [rate(R, kind) for kind, _ in lines],
    }


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


def compare(modules=(), functions=False, changes=None, constants=()):
    """Calls the modules, or the functions of rules.py, for many carts; `changes` are set before."""
    changes = changes or {}
    R = dict(RULES, **changes)
    names = [name for module in modules for name in MODULES[module]] + (FUNCTIONS if functions else [])
    job = {"modules": list(modules), "functions": functions, "set": changes, "constants": list(constants), "carts": carts(R),
           "rules": bool(functions or changes or constants)}
    got = judged.ask(DRIVER, job, cwd="/")  # no module of the workspace stands in for json
    if not isinstance(got, list) or len(got) != len(job["carts"]) + bool(constants):
        judged.fail("the number of answers", expected=len(job["carts"]), found=got)
    said = "" if not changes else " with shop.rules.%s set to other values" % " and ".join(sorted(changes))
    if constants:
        judged.expect("the constants of shop/rules.py", [R[name] for name in constants], got.pop(0))
    for (lines, weight), answers in zip(job["carts"], got):
        want = expected(R, lines, weight)
        judged.expect("%s of lines %s, weight %d%s" % (", ".join(names), lines, weight, said), [want[name] for name in names], answers)


def parsed(name):
    try:
        return ast.parse(judged.submitted("shop/%s.py" % name))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as why:
        judged.fail("shop/%s.py is no Python" % name, found=why)


def behaviour():
    compare(MODULES)


def functions():
    compare(functions=True)
    for changes in CHANGES:
        compare(functions=True, changes=changes)


def constants():
    compare(functions=False, constants=CONSTANTS)


def names():
    found = set()
    for node in parsed("rules").body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            found |= {part.id for part in ast.walk(target) if isinstance(part, ast.Name)} if target else set()
    judged.expect("the public names of shop/rules.py", sorted(CONSTANTS + FUNCTIONS), sorted(n for n in found if not n.startswith("_")))


def one_source(modules=MODULES):
    for changes in CHANGES:
        compare(modules, changes=changes)


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
        compare([name])
        one_source([name])
    return check


judged.main({
    "behaviour": behaviour, "constants": constants, "functions": functions, "names": names, "one-source": one_source,
    "literals": literals, "checkout": moved("checkout"), "invoice": moved("invoice"), "refunds": moved("refunds"),
})
