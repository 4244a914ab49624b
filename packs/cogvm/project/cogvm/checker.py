"""Finds mistakes in a program without running it."""

from collections import namedtuple

from cogvm.opcodes import decode

Finding = namedtuple("Finding", "at kind")


def check(image):
    """What is wrong with a program, sorted by place."""
    found, routines, done = set(), [image.entry], set()
    while routines:
        start = routines.pop()
        if start not in done:
            done.add(start)
            routines += _follow(image.code, start, start != image.entry, found)
    return sorted(found)


def _follow(code, start, is_routine, found):
    """Follows one routine from an empty stack. The starts of the routines that it calls."""
    depths, ways, called = {}, [(start, 0, start)], []
    while ways:
        at, depth, source = ways.pop()
        if at >= len(code):
            found.add(Finding(source, "end"))
            continue
        if at in depths:
            if depths[at] != depth:
                found.add(Finding(at, "uneven"))
            continue
        depths[at] = depth
        step, operand, behind = decode(code, at)
        if step is None:
            found.add(Finding(at, "bad-code"))
            continue
        if depth < step.takes:
            found.add(Finding(at, "underflow"))
            continue
        depth += step.gives - step.takes
        if step.name == "ret" and is_routine and depth:
            found.add(Finding(at, "uneven"))
        if step.name == "call":
            called.append(operand)
        ways += _next(step.name, operand, behind, depth, at)
    return called


def _next(name, operand, behind, depth, at):
    """Where a program can go on."""
    if name in ("halt", "ret"):
        return []
    if name == "jmp":
        return [(operand, depth, at)]
    if name in ("jz", "jnz"):
        return [(behind, depth, at), (operand, depth, at)]
    return [(behind, depth, at)]
