"""Where control goes, and which variables are still needed."""


def successors(parts):
    """For each block the numbers of the blocks that can come next."""
    labels = {block[0].label: at for at, block in enumerate(parts) if block[0].op == "label"}
    found = []
    for at, block in enumerate(parts):
        last, after = block[-1], []
        if last.op in ("jump", "jumpif"):
            after.append(labels[last.label])
        if last.op not in ("jump", "halt") and at + 1 < len(parts):
            after.append(at + 1)
        found.append(after)
    return found


def uses(ins):
    return {arg for arg in ins.args if isinstance(arg, str)}


def before(ins, live):
    """What is needed before an instruction, if `live` is needed after it."""
    return (live - {ins.out}) | uses(ins)


def live_after(parts):
    """For each block the variables that are needed after it."""
    after = successors(parts)
    enter, leave = [set() for _ in parts], [set() for _ in parts]
    changed = True
    while changed:
        changed = False
        for at in reversed(range(len(parts))):
            leave[at] = set().union(*(enter[next] for next in after[at]))
            live = leave[at]
            for ins in reversed(parts[at]):
                live = before(ins, live)
            changed = changed or live != enter[at]
            enter[at] = live
    return leave
