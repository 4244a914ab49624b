def milliseconds(text, unit):
    number, suffix = text.rstrip("smh"), text.lstrip("0123456789")
    return int(number) * {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "": 1000 if unit == "seconds" else 60000}[suffix]


def listed(text):
    found = set()
    for word in text.split(","):
        low, _, high = word.partition("-")
        found |= set(range(int(low), int(high or low) + 1))
    return found


def words_of(text):
    """What one file says, the last line of each word."""
    found = {}
    for line in text.splitlines():
        word, _, value = line.strip().partition(" ")
        if word and not word.startswith("#"):
            value = value.strip()
            found[word] = value if word == "run" else value.partition(" #")[0].strip()
    return found


def said(name, files):
    """What holds for a service: its own words, then those of its bases, then the defaults."""
    own, found = words_of(files[name]), {}
    chain, at = [own], own
    while "like" in at:
        at = words_of(files[at["like"]])
        chain.append(at)
    chain.append(words_of(files["defaults"]))
    for words in chain[::-1]:
        found.update(words)
    for word in ("drags", "before", "run"):
        found.pop(word, None)
        if word in own:
            found[word] = own[word]
    return {word: value for word, value in found.items() if value != "-"}


def policy(name, files, unit, edge):
    """A service of keeper in the terms of the engine; an end by signal N is the code 128 + N."""
    words = said(name, files)
    kind, _, more = words.get("respawn", "never").partition(" ")
    some = listed(more) if more else set()
    again = {"always": lambda code: True, "never": lambda code: False, "failure": lambda code: code != 0, "on": lambda code: code in some, "not-on": lambda code: code not in some}[kind]
    good = listed(words.get("ok", "0"))
    delays = [milliseconds(words.get("pause", "0"), unit)]
    if "grow" in words:
        factor, top = words["grow"].split()
        while delays[-1] and len(delays) < 60 and delays[-1] < milliseconds(top, unit):
            delays.append(min(delays[-1] * int(factor[1:]), milliseconds(top, unit)))
    limit, window = None, 0
    if "limit" in words:
        number, _, time = words["limit"].split()
        limit, window = int(number) - 1, milliseconds(time, unit) + (1 if edge == "closed" else 0)
    return {"command": words["run"], "codes": again, "signals": lambda number: again(128 + number), "good_codes": lambda code: code in good, "good_signals": lambda number: 128 + number in good,
            "delays": delays, "reset": milliseconds(words["steady"], unit) if "steady" in words else 0, "limit": limit, "window": window,
            "cool": milliseconds(words["rest"], unit) if "rest" in words else None, "follows": [], "after": [], "drags": words.get("drags", "").split(), "before": words.get("before", "").split()}


def policies(names, files, unit, edge):
    found = {name: policy(name, files, unit, edge) for name in names}
    for name, one in found.items():
        for other in one["drags"]:
            found[other]["follows"].append(name)
        for other in one["before"]:
            found[other]["after"].append(name)
    return found
