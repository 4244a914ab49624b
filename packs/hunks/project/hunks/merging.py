"""Merges the changes of two sides."""

from hunks.compare import regions

START, MIDDLE, END = "<<<<<<<", "=======", ">>>>>>>"


class Merge:
    """A merged text in parts: `("lines", lines)` or `("conflict", mine, theirs)`."""

    def __init__(self):
        self.parts = []

    def add(self, lines):
        """Adds lines behind the last part."""
        if not lines:
            return
        if self.parts and self.parts[-1][0] == "lines":
            self.parts[-1][1].extend(lines)
        else:
            self.parts.append(("lines", list(lines)))

    def add_conflict(self, mine, theirs):
        """Adds a conflict. Lines that both sides begin or end with are no part of it."""
        start = 0
        while start < min(len(mine), len(theirs)) and mine[start] == theirs[start]:
            start += 1
        end = 0
        while end < min(len(mine), len(theirs)) - start and mine[-1 - end] == theirs[-1 - end]:
            end += 1
        self.add(mine[:start])
        self.parts.append(("conflict", mine[start : len(mine) - end], theirs[start : len(theirs) - end]))
        self.add(mine[len(mine) - end :])

    def conflicts(self):
        """How many conflicts there are."""
        return sum(part[0] == "conflict" for part in self.parts)

    def lines(self, mine="mine", theirs="theirs"):
        """All lines, conflicts with markers. The labels stand behind the outer markers."""
        result = []
        for part in self.parts:
            if part[0] == "lines":
                result += part[1]
                continue
            result.append("%s %s\n" % (START, mine))
            result += _ended(part[1])
            result.append("%s\n" % MIDDLE)
            result += _ended(part[2])
            result.append("%s %s\n" % (END, theirs))
        return result


def _ended(lines):
    """Lines of which the last one ends, too: a marker must stand on a line of its own."""
    if lines and not lines[-1].endswith("\n"):
        return lines[:-1] + [lines[-1] + "\n"]
    return lines


def merge(base, mine, theirs):
    """Merges two sides that both began with `base`."""
    sides = [_changes(base, mine), _changes(base, theirs)]
    result, at = Merge(), 0
    while sides[0] or sides[1]:
        start, end, taken = _cluster(sides)
        result.add(base[at:start])
        texts = [_text(base, start, end, changes) for changes in taken]
        if not taken[0]:
            result.add(texts[1])
        elif not taken[1] or texts[0] == texts[1]:
            result.add(texts[0])
        else:
            result.add_conflict(texts[0], texts[1])
        at = end
    result.add(base[at:])
    return result


def _changes(base, side):
    """The changes of a side: `(start, end, lines)` over the base."""
    return [(start, end, side[first:last]) for start, end, first, last in regions(base, side)]


def _cluster(sides):
    """Takes the next changes that touch each other: where they start and end, and those of each side."""
    start = min(side[0][0] for side in sides if side)
    end, taken, grown = start, [[], []], True
    while grown:
        grown = False
        for side, own in zip(sides, taken):
            while side and side[0][0] <= end:
                change = side.pop(0)
                end = max(end, change[1])
                own.append(change)
                grown = True
    return start, end, taken


def _text(base, start, end, changes):
    """A region of the base with the changes of one side."""
    result, at = [], start
    for first, last, lines in changes:
        result += base[at:first] + lines
        at = last
    return result + base[at:end]
