"""Says whether a log is whole, after docs/LOG.md."""

import json

from audit.canon import SIZE, leaf, link
from audit.tree import root

ENTRY = {"number": int, "time": int, "who": str, "what": str, "link": str}
CHECKPOINT = {"checkpoint": int, "root": str, "link": str}


def is_hash(text):
    return len(text) == 2 * SIZE and all(one in "0123456789abcdef" for one in text)


def formed(row, shape):
    return set(row) == set(shape) and all(type(row[name]) is kind for name, kind in shape.items()) and is_hash(row["link"])


def parse(line):
    """A row of the log, or None if it is none."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict):
        return None
    if formed(row, ENTRY) or formed(row, CHECKPOINT) and is_hash(row["root"]):
        return row
    return None


def verify(text, trusted=None):
    """None if all is well, else [line, reason] of the first thing that is wrong."""
    lines = text.split("\n")
    if lines.pop() != "":
        return [len(lines) + 1, "form"]
    leaves, last, time, at, row = [], bytes(SIZE), None, 0, {}
    for at, line in enumerate(lines, 1):
        row = parse(line)
        if row is None:
            return [at, "form"]
        if "number" in row:
            if row["number"] != len(leaves):
                return [at, "number"]
            if time is not None and row["time"] {{ "<" if times == "level" else "<=" }} time:
                return [at, "time"]
            time = row["time"]
            content = leaf(row)
            leaves.append(content)
        else:
            if row["checkpoint"] != len(leaves):
                return [at, "size"]
            content = root(leaves)
            if row["root"] != content.hex():
                return [at, "root"]
        last = link(last, content)
        if row["link"] != last.hex():
            return [at, "link"]
    if "checkpoint" not in row:
        return [at + 1, "end"]
    if trusted is not None:
        size = trusted["size"]
        if size > len(leaves):
            return [at + 1, "short"]
        if root(leaves[:size]).hex() != trusted["root"]:
            return [at + 1, "trusted"]
    return None
