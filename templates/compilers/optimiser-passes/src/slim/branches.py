"""Tidies jumps, labels and blocks that nobody reaches."""
from slim.flow import successors
from slim.ir import blocks, joined


def reached(parts):
    after, seen, waiting = successors(parts), set(), [0] if parts else []
    while waiting:
        at = waiting.pop()
        if at not in seen:
            seen.add(at)
            waiting += after[at]
    return [block for at, block in enumerate(parts) if at in seen]


def threaded(program):
    """A jump to a jump goes to where that one goes."""
    goes = {one.label: two.label for one, two in zip(program, program[1:]) if one.op == "label" and two.op == "jump"}
    done = []
    for ins in program:
        seen = {None}
        while ins.op in ("jump", "jumpif") and ins.label in goes and ins.label not in seen:
            seen.add(ins.label)
            ins = ins._replace(label=goes[ins.label])
        done.append(ins)
    return done


def tidy(program):
    program = joined(reached(blocks(threaded(program))))
    kept = []
    for at, ins in enumerate(program):
        labels = []
        for other in program[at + 1:]:
            if other.op != "label":
                break
            labels.append(other.label)
        if ins.op != "jump" or ins.label not in labels:
            kept.append(ins)
    used = {ins.label for ins in kept if ins.op in ("jump", "jumpif")}
    return [ins for ins in kept if ins.op != "label" or ins.label in used]
