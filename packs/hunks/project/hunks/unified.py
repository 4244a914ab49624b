"""Unified diffs: making, writing and reading them."""

import re

from hunks.compare import edits

HEADER = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)\Z", re.DOTALL)
NO_NEWLINE = "\\ No newline at end of file\n"
SIGNS = {"keep": " ", "drop": "-", "add": "+"}
KINDS = {sign: kind for kind, sign in SIGNS.items()}


class PatchError(Exception):
    """A patch that cannot be read. `line` is the number of the line at fault, from 1."""

    def __init__(self, message, line):
        super().__init__("line %d: %s" % (line, message))
        self.message = message
        self.line = line


class Hunk:
    """A part of a patch. `old_start` and `new_start` are places from 0; `lines` are edits."""

    def __init__(self, old_start, new_start, lines, note=""):
        self.old_start = old_start
        self.new_start = new_start
        self.lines = list(lines)
        self.note = note

    def old(self):
        """The lines that must be there before."""
        return [line for kind, line in self.lines if kind != "add"]

    def new(self):
        """The lines that are there afterwards."""
        return [line for kind, line in self.lines if kind != "drop"]

    def context(self):
        """How many lines are kept at the start and at the end."""
        start = _kept(self.lines)
        return start, 0 if start == len(self.lines) else _kept(reversed(self.lines))

    def counts(self):
        """How many lines are added, and how many dropped."""
        kinds = [kind for kind, _ in self.lines]
        return kinds.count("add"), kinds.count("drop")

    def __eq__(self, other):
        if not isinstance(other, Hunk):
            return NotImplemented
        mine = (self.old_start, self.new_start, self.lines, self.note)
        return mine == (other.old_start, other.new_start, other.lines, other.note)

    def __repr__(self):
        return "Hunk(%r, %r, %r, %r)" % (self.old_start, self.new_start, self.lines, self.note)


def _kept(lines):
    count = 0
    for kind, _ in lines:
        if kind != "keep":
            break
        count += 1
    return count


class Patch:
    """The hunks of one file, with its names."""

    def __init__(self, hunks, old_name="", new_name=""):
        self.hunks = list(hunks)
        self.old_name = old_name
        self.new_name = new_name


def diff(old, new, context=3):
    """The hunks from one list of lines to another."""
    listed = edits(old, new)
    changed = [place for place, (kind, _) in enumerate(listed) if kind != "keep"]
    hunks = []
    for first, last in _grouped(changed, context):
        start, end = max(0, first - context), min(len(listed), last + 1 + context)
        before = listed[:start]
        old_start = sum(kind != "add" for kind, _ in before)
        new_start = sum(kind != "drop" for kind, _ in before)
        hunks.append(Hunk(old_start, new_start, listed[start:end]))
    return hunks


def _grouped(places, context):
    """Places as pairs of first and last. At most twice the context lies between those of a group."""
    groups = []
    for place in places:
        if groups and place - groups[-1][1] - 1 <= 2 * context:
            groups[-1][1] = place
        else:
            groups.append([place, place])
    return groups


def format_patch(patch):
    """A patch as lines. A patch without hunks is empty."""
    if not patch.hunks:
        return []
    result = []
    if patch.old_name or patch.new_name:
        result += ["--- %s\n" % patch.old_name, "+++ %s\n" % patch.new_name]
    for hunk in patch.hunks:
        old = _range(hunk.old_start, len(hunk.old()))
        new = _range(hunk.new_start, len(hunk.new()))
        note = " " + hunk.note if hunk.note else ""
        result.append("@@ -%s +%s @@%s\n" % (old, new, note))
        for kind, line in hunk.lines:
            result.append(SIGNS[kind] + line)
            if not line.endswith("\n"):
                result[-1] += "\n"
                result.append(NO_NEWLINE)
    return result


def _range(start, count):
    """A range of a header. Places there are from 1; an empty range names the line before."""
    first = start if count == 0 else start + 1
    return str(first) if count == 1 else "%d,%d" % (first, count)


def parse_patch(lines):
    """The patches of one text, one for each file. Lines before the first header are skipped."""
    reader = _Reader(lines)
    patches = []
    while not reader.is_done():
        patch = reader.patch()
        if patch is not None:
            patches.append(patch)
    return patches


class _Reader:
    def __init__(self, lines):
        self.lines = lines
        self.at = 0

    def is_done(self):
        return self.at >= len(self.lines)

    def peek(self):
        return "" if self.is_done() else self.lines[self.at]

    def fail(self, message):
        return PatchError(message, self.at + 1)

    def patch(self):
        """The next patch; None if there is none behind what is skipped."""
        while not self.is_done() and not self.peek().startswith(("--- ", "@@ ")):
            self.at += 1
        if self.is_done():
            return None
        patch = Patch([])
        if self.peek().startswith("--- "):
            patch.old_name = self.name("--- ")
            if not self.peek().startswith("+++ "):
                raise self.fail("a line with +++ was expected")
            patch.new_name = self.name("+++ ")
        while self.peek().startswith("@@ "):
            patch.hunks.append(self.hunk())
        if not patch.hunks:
            raise self.fail("a hunk was expected")
        return patch

    def name(self, sign):
        """The name in a header, without a time behind a tab."""
        name = self.peek()[len(sign) :].rstrip("\n").split("\t")[0]
        self.at += 1
        return name

    def hunk(self):
        header = HEADER.match(self.peek().rstrip("\n"))
        if header is None:
            raise self.fail("the header of a hunk is wrong")
        old_start, old_count, new_start, new_count, note = header.groups()
        old_left, new_left = _count(old_count), _count(new_count)
        hunk = Hunk(_place(old_start, old_left), _place(new_start, new_left), [], note.strip())
        self.at += 1
        while old_left > 0 or new_left > 0:
            kind, line = self.edit()
            old_left -= kind != "add"
            new_left -= kind != "drop"
            if old_left < 0 or new_left < 0:
                raise PatchError("the hunk has more lines than its header says", self.at)
            hunk.lines.append((kind, line))
            self.no_newline(hunk)
        return hunk

    def edit(self):
        if self.is_done():
            raise self.fail("the hunk ends too early")
        line = self.peek()
        # Some programs cut the blank of an empty line.
        sign, rest = (" ", "\n") if line == "\n" else (line[:1], line[1:])
        if sign not in KINDS:
            raise self.fail("the hunk ends too early")
        self.at += 1
        return KINDS[sign], rest

    def no_newline(self, hunk):
        """Takes the end of the line away if the patch says so."""
        if self.peek().startswith("\\"):
            kind, line = hunk.lines[-1]
            hunk.lines[-1] = (kind, line[:-1] if line.endswith("\n") else line)
            self.at += 1


def _count(text):
    return 1 if text is None else int(text)


def _place(text, count):
    """A place from 0. The number of an empty range is that of the line before."""
    return int(text) if count == 0 else max(int(text) - 1, 0)


def reverse(patch):
    """The patch that takes another one back. Lines that are dropped come before those added."""
    swapped = {"keep": "keep", "drop": "add", "add": "drop"}
    hunks = []
    for hunk in patch.hunks:
        lines, added = [], []
        for kind, line in hunk.lines:
            if swapped[kind] == "add":
                added.append(("add", line))
                continue
            if kind == "keep":
                lines += added
                added = []
            lines.append((swapped[kind], line))
        hunks.append(Hunk(hunk.new_start, hunk.old_start, lines + added, hunk.note))
    return Patch(hunks, patch.new_name, patch.old_name)
