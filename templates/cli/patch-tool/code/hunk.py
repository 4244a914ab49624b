"""Patches: hunks, and how they are written (docs/DELTA.md)."""
import re

from delta.text import split

BASE = {{ 0 if number == "zero" else 1 }}
MAGIC = b"delta {{ version }}\n"
{% if form == "at" %}
HEADER = "@ %d,%d %d,%d\n"
READ = re.compile(rb"@ (\d+),(\d+) (\d+),(\d+)\n\Z")
{% else %}
HEADER = "# %d+%d > %d+%d\n"
READ = re.compile(rb"# (\d+)\+(\d+) > (\d+)\+(\d+)\n\Z")
{% endif %}
{% if marks == "signs" %}
MARKS = {"=": b"=", "-": b"-", "+": b"+"}
{% else %}
MARKS = {"=": b" ", "-": b"<", "+": b">"}
{% endif %}
{% if ending == "mark" %}
CUT = {"=": b":", "-": b"_", "+": b"*"}
{% endif %}


class Malformed(Exception):
    """What was read is no patch."""


class Hunk:
    """`old` and `new` count lines from 0. `ops` are pairs of a kind (one of = - +) and a line."""

    def __init__(self, old, new, ops):
        self.old, self.new, self.ops = old, new, ops

    def before(self):
        return [line for kind, line in self.ops if kind != "+"]

    def after(self):
        return [line for kind, line in self.ops if kind != "-"]


def render(hunks):
    parts = [MAGIC]
    for hunk in hunks:
        numbers = (hunk.old + BASE, len(hunk.before()), hunk.new + BASE, len(hunk.after()))
        parts.append((HEADER % numbers).encode())
        for kind, line in hunk.ops:
            whole = line.endswith(b"\n")
            {% if ending == "line" %}
            parts.append(MARKS[kind] + line if whole else MARKS[kind] + line + b"\n\\\n")
            {% else %}
            parts.append(MARKS[kind] + line if whole else CUT[kind] + line + b"\n")
            {% endif %}
    parts.append(b"end %d\n" % len(hunks))
    return b"".join(parts)


def parse(data):
    lines = split(data)
    if lines[:1] != [MAGIC]:
        raise Malformed("the first line")
    said = re.match(rb"end (\d+)\n\Z", lines[-1])
    if not said:
        raise Malformed("the last line")
    hunks, counts = [], []
    kinds = {mark: kind for kind, mark in MARKS.items()}
    {% if ending == "mark" %}
    cut = {mark: kind for kind, mark in CUT.items()}
    {% endif %}
    for line in lines[1:-1]:
        head = READ.match(line)
        if head:
            numbers = [int(one) for one in head.groups()]
            hunks.append(Hunk(numbers[0] - BASE, numbers[2] - BASE, []))
            counts.append((numbers[1], numbers[3]))
        elif hunks and line[:1] in kinds:
            hunks[-1].ops.append((kinds[line[:1]], line[1:]))
        {% if ending == "line" %}
        elif hunks and line == b"\\\n" and hunks[-1].ops and hunks[-1].ops[-1][1].endswith(b"\n"):
            kind, last = hunks[-1].ops.pop()
            hunks[-1].ops.append((kind, last[:-1]))
        {% else %}
        elif hunks and line[:1] in cut:
            hunks[-1].ops.append((cut[line[:1]], line[1:-1]))
        {% endif %}
        else:
            raise Malformed("a line that belongs to nothing")
    found = [(len(hunk.before()), len(hunk.after())) for hunk in hunks]
    if counts != found:
        raise Malformed("a hunk has other lines than it says")
    if int(said[1]) != len(hunks):
        raise Malformed("the number of hunks")
    return hunks
