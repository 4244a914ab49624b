"""Applies patches to lines that may have changed since."""

from collections import namedtuple

#: `lines` are the new lines, `rejected` the hunks that fit nowhere, `moves` what became of the others:
#: `(hunk, offset, fuzz)`.
Applied = namedtuple("Applied", "lines rejected moves")


def apply_patch(lines, hunks, fuzz=2):
    """Applies hunks, one after the other."""
    result, rejected, moves = list(lines), [], []
    # How far hunks stand from where their headers say: by earlier moves, and by added lines.
    moved, grown, floor = 0, 0, 0
    for hunk in hunks:
        wanted = hunk.old_start + grown
        found = _find(result, hunk, wanted, moved, floor, fuzz)
        if found is None:
            rejected.append(hunk)
            continue
        place, left_out = found
        start, end = _trims(hunk, left_out)
        old, new = _trimmed(hunk.old(), start, end), _trimmed(hunk.new(), start, end)
        result[place : place + len(old)] = new
        moved = place - start - wanted
        grown += len(new) - len(old)
        floor = place + len(new)
        moves.append((hunk, moved, left_out))
    return Applied(result, rejected, moves)


def _find(lines, hunk, wanted, moved, floor, fuzz):
    """The place of a hunk and how much context was left out; None if it fits nowhere."""
    if not hunk.old():
        return (wanted, 0) if floor <= wanted <= len(lines) else None
    for left_out in range(fuzz + 1):
        start, end = _trims(hunk, left_out)
        if left_out and (start, end) == _trims(hunk, left_out - 1):
            break
        old = _trimmed(hunk.old(), start, end)
        if not old:
            break
        place = nearest(lines, old, wanted + moved + start, floor)
        if place is not None:
            return place, left_out
    return None


def _trims(hunk, left_out):
    """How many lines are left out at the start and at the end."""
    start, end = hunk.context()
    return min(start, left_out), min(end, left_out)


def _trimmed(lines, start, end):
    return lines[start : len(lines) - end]


def nearest(lines, wanted, place, floor=0):
    """The place nearest to `place` at which the lines `wanted` stand, not before `floor`. Of two at the
    same distance, it is the one behind."""
    last = len(lines) - len(wanted)
    for distance in range(max(abs(place - floor), abs(last - place)) + 1):
        for candidate in (place + distance, place - distance):
            if floor <= candidate <= last and lines[candidate : candidate + len(wanted)] == wanted:
                return candidate
    return None
