class Wrong(Exception):
    """A unit that steward does not take."""


KEYS = ("command", "restart_codes", "restart_signals", "success_codes", "success_signals", "delays_ms", "reset_after_ms", "max_restarts", "window_ms", "cool_ms", "follows", "after")


def unit(name, text):
    """A unit as steward reads it."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or key not in KEYS or key in found:
            raise Wrong("%s.unit:%d: unknown or repeated key" % (name, number))
        found[key] = value
    if not found.get("command"):
        raise Wrong("%s.unit: no command" % name)
    try:
        delays = [int(word) for word in found.get("delays_ms", "1000").split()]
        limit, cool = found.get("max_restarts", "5"), found.get("cool_ms", "none")
        made = {
            "command": found["command"],
            "codes": chooser(found.get("restart_codes", "nonzero")), "signals": chooser(found.get("restart_signals", "all")),
            "good_codes": chooser(found.get("success_codes", "0")), "good_signals": chooser(found.get("success_signals", "none")),
            "delays": delays, "reset": int(found.get("reset_after_ms", "0")), "limit": None if limit == "none" else int(limit), "window": int(found.get("window_ms", "10000")),
            "cool": None if cool == "none" else int(cool), "follows": found.get("follows", "").split(), "after": found.get("after", "").split(),
        }
    except ValueError as error:
        raise Wrong("%s.unit: %s" % (name, error))
    if not delays or min([*delays, made["reset"], made["limit"] or 0, made["window"], made["cool"] or 0]) < 0:
        raise Wrong("%s.unit: a number is missing or below 0" % name)
    return made


def chooser(text):
    """all, none, nonzero, numbers, or `all except` numbers."""
    words = text.split()
    if words in (["all"], ["none"]):
        return lambda number: words == ["all"]
    if words == ["nonzero"]:
        return lambda number: number != 0
    but = words[:2] == ["all", "except"]
    numbers = {int(word) for word in words[2 if but else 0:]}
    if not numbers or min(numbers) < 0:
        raise ValueError("no numbers: %r" % text)
    return lambda number: (number in numbers) != but


def first_order(units):
    """The order of the first start: by name, but each after those it comes after."""
    order, left = [], sorted(units)
    while left:
        free = [name for name in left if not set(units[name]["after"]) & set(left)]
        if not free:
            raise Wrong("a circle of after: %s" % " ".join(left))
        order.append(free[0])
        left.remove(free[0])
    return order


def simulate(units, runs, until=10 ** 9):
    """Events of a rehearsal. runs: name -> [(how long it runs, ("code" or "signal", number))...]; after the last it runs for ever."""
    for name, one in units.items():
        for other in one["follows"] + one["after"]:
            if other not in units:
                raise Wrong("%s.unit: unknown unit %s" % (name, other))
    told, waiting, state = [], [], {name: {"run": 0, "turn": 0, "since": None, "row": 0, "ends": []} for name in units}

    def start(name, now):
        mine = state[name]
        mine["since"], mine["turn"] = now, mine["turn"] + 1
        told.append((now, "start", name))
        if mine["run"] < len(runs.get(name, [])):
            lasts, end = runs[name][mine["run"]]
            waiting.append((now + lasts, 0, name, mine["turn"], end))
        mine["run"] += 1

    def ended(name, now, end):
        one, mine = units[name], state[name]
        told.append((now, "end %s %d" % end, name))
        if one["reset"] and now - mine["since"] >= one["reset"]:
            mine["row"] = 0
        mine["since"] = None
        kind, number = end
        if not one["codes" if kind == "code" else "signals"](number):
            told.append((now, "done" if one["good_codes" if kind == "code" else "good_signals"](number) else "failed", name))
            return
        mine["ends"].append(now)
        recent = [at for at in mine["ends"] if now - at < one["window"]]
        if one["limit"] is not None and len(recent) > one["limit"]:
            told.append((now, "gave-up", name))
            mine["ends"], mine["row"] = [], 0
            if one["cool"] is not None:
                waiting.append((now + one["cool"], 1, name, mine["turn"], None))
            return
        waiting.append((now + one["delays"][min(mine["row"], len(one["delays"]) - 1)], 1, name, mine["turn"], None))
        mine["row"] += 1

    for name in first_order(units):
        start(name, 0)
    while waiting:
        entry = min(waiting, key=lambda entry: entry[:3])
        waiting.remove(entry)
        now, kind, name, turn, end = entry
        if now > until or turn != state[name]["turn"]:
            continue
        if kind == 0:
            ended(name, now, end)
            continue
        start(name, now)
        for other in sorted(units):
            if name in units[other]["follows"] and state[other]["since"] is not None:
                told.append((now, "stop", other))
                start(other, now)
    return told
