"""Finds what two lists of lines have in common."""


def edits(old, new):
    """The shortest edits from `old` to `new`: `(kind, line)` with the kinds keep, drop and add."""
    start = common_start(old, new)
    end = common_end(old, new, start)
    result = [("keep", line) for line in old[:start]]
    result += _middle(old[start : len(old) - end], new[start : len(new) - end])
    result += [("keep", line) for line in old[len(old) - end :]]
    return result


def common_start(old, new):
    """How many lines both begin with."""
    count = 0
    while count < len(old) and count < len(new) and old[count] == new[count]:
        count += 1
    return count


def common_end(old, new, start=0):
    """How many lines both end with, without the first `start` of each."""
    count = 0
    most = min(len(old), len(new)) - start
    while count < most and old[-1 - count] == new[-1 - count]:
        count += 1
    return count


def lengths(old, new):
    """A table: how many lines the rest of `old` from i and the rest of `new` from j have in common at
    most."""
    table = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            if old[i] == new[j]:
                table[i][j] = table[i + 1][j + 1] + 1
            else:
                table[i][j] = max(table[i + 1][j], table[i][j + 1])
    return table


def _middle(old, new):
    table, i, j, result = lengths(old, new), 0, 0, []
    while i < len(old) and j < len(new):
        if old[i] == new[j] and table[i][j] == table[i + 1][j + 1] + 1:
            result.append(("keep", old[i]))
            i, j = i + 1, j + 1
        elif table[i + 1][j] >= table[i][j + 1]:
            result.append(("drop", old[i]))
            i += 1
        else:
            result.append(("add", new[j]))
            j += 1
    result += [("drop", line) for line in old[i:]]
    result += [("add", line) for line in new[j:]]
    return result


def matches(old, new):
    """The runs of equal lines: `(place in old, place in new, length)`, sorted."""
    result, i, j = [], 0, 0
    for kind, _ in edits(old, new):
        if kind == "keep":
            if result and result[-1][0] + result[-1][2] == i and result[-1][1] + result[-1][2] == j:
                result[-1] = (result[-1][0], result[-1][1], result[-1][2] + 1)
            else:
                result.append((i, j, 1))
        i += kind != "add"
        j += kind != "drop"
    return result


def ratio(old, new):
    """How alike two lists are, from 0 to 1: twice the common lines, divided by all lines. Two empty
    lists are alike."""
    total = len(old) + len(new)
    if total == 0:
        return 1.0
    return 2.0 * sum(length for _, _, length in matches(old, new)) / total


def regions(old, new):
    """What differs, as `(old start, old end, new start, new end)`; both ends are excluded."""
    result, i, j = [], 0, 0
    for start, other, length in matches(old, new) + [(len(old), len(new), 0)]:
        if i < start or j < other:
            result.append((i, start, j, other))
        i, j = start + length, other + length
    return result
