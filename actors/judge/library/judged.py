"""Reaches the judged sandbox from a check. Version 2.

A check runs in the judge's sandbox. The agent's workspace runs in another one, the judged
sandbox, which has no /sealed and sees nothing of the check. This module is the only way there.

    import judged

    result = judged.run(["python3", "tool.py", "--all"], stdin="3 4\\n", timeout=10)
    if result.code != 0 or result.out != "7\\n":
        judged.fail("tool.py --all", expected="7", found=result)

The files that the agent left are in /sealed/submission as plain data: regular files and
directories only, without settings of git. `judged.submitted` reads them. What judged programs write is read with
`judged.read`.
"""

import json
import os
import random
import shlex
import socket
import struct
import sys

VERSION = 2
SUBMISSION = "/sealed/submission"
LEFT_OUT = "/sealed/submission.left-out"
SHOWN = 400

_RUN, _READ, _WRITE, _LIST, _RESET = 1, 2, 3, 4, 5
_DONE, _REFUSED = 0, 1
_ENDS = ("exit", "signal", "timeout", "processor time", "memory", "output", "not started")
_KINDS = ("file", "directory", "link", "other")


class Refused(Exception):
    """What was asked for cannot be had: a file that is not there, a link, a device."""


class Unavailable(Exception):
    """The judged sandbox cannot be reached. The engine makes no label of it."""


class Result:
    """How a program of the judged sandbox ended. `code` is its exit code, or 128 plus the signal;
    `ended` says how; `out` and `err` are texts, `out_bytes` and `err_bytes` the bytes."""

    def __init__(self, ended, code, out, err, whole):
        self.ended, self.code = ended, code
        self.out_bytes, self.err_bytes = out, err
        self.out = out.decode("utf-8", "replace")
        self.err = err.decode("utf-8", "replace")
        #: Nothing of the output was left out.
        self.whole = whole

    @property
    def ok(self):
        return self.ended == "exit" and self.code == 0 and self.whole

    def __str__(self):
        end = "exit code %d" % self.code if self.ended == "exit" else self.ended
        said = self.out.strip() or self.err.strip()
        return "%s, %r" % (end, _cut(said)) if said else end


def _cut(text):
    text = str(text)
    return text if len(text) <= SHOWN else text[:SHOWN] + "... (%d characters)" % len(text)


def _bytes(value):
    value = value.encode("utf-8") if isinstance(value, str) else bytes(value)
    return struct.pack("<I", len(value)) + value


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def bytes(self):
        size = self.number("<I")
        self.at += size
        return self.data[self.at - size:self.at]


_connection = None


def _exactly(size):
    parts = []
    while size:
        part = _connection.recv(min(size, 1 << 20))
        if not part:
            raise Unavailable("the connection to the judged sandbox has ended")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _ask(operation, fields):
    global _connection
    body = bytes([operation]) + fields
    try:
        if _connection is None:
            port = int(os.environ["SYNTHD_JUDGED_PORT"])
            _connection = socket.create_connection(("127.0.0.1", port))
        _connection.sendall(struct.pack("<I", len(body)) + body)
        (size,) = struct.unpack("<I", _exactly(4))
        reader = _Reader(_exactly(size))
    except (OSError, KeyError, ValueError) as error:
        raise Unavailable(str(error))
    status = reader.number("<B")
    if status == _DONE:
        return reader
    why = reader.bytes().decode("utf-8", "replace")
    raise Refused(why) if status == _REFUSED else Unavailable(why)


def run(command, stdin=b"", timeout=30, cwd="/work"):
    """Runs a program, or a line of the shell if `command` is a text, in the judged sandbox."""
    line = command if isinstance(command, str) else " ".join(shlex.quote(str(c)) for c in command)
    fields = struct.pack("<Q", int(timeout * 1000)) + _bytes(cwd) + _bytes(stdin) + _bytes(line)
    reader = _ask(_RUN, fields)
    ended, code = _ENDS[reader.number("<B")], reader.number("<i")
    out, out_total = reader.bytes(), reader.number("<Q")
    err, err_total = reader.bytes(), reader.number("<Q")
    return Result(ended, code, out, err, len(out) == out_total and len(err) == err_total)


def read(path, most=16 << 20):
    """The bytes of a regular file of the judged sandbox. A relative path is below /work."""
    return _ask(_READ, struct.pack("<Q", most) + _bytes(_absolute(path))).bytes()


def write(path, content):
    """Writes a file of the judged sandbox; missing directories are made."""
    _ask(_WRITE, _bytes(_absolute(path)) + _bytes(content))


def listed(path=".", depth=64):
    """The entries below a directory of the judged sandbox: {relative path: kind}, where the kind
    is file, directory, link or other."""
    reader = _ask(_LIST, struct.pack("<I", depth) + _bytes(_absolute(path)))
    if reader.number("<Q"):
        raise Refused("the directory %s has too many entries" % path)
    entries = {}
    for _ in range(reader.number("<I")):
        kind = _KINDS[reader.number("<B")]
        reader.number("<Q")
        entries[reader.bytes().decode("utf-8", "replace")] = kind
    return entries


def reset():
    """Drops the judged sandbox. The next call gets a fresh one, with the agent's workspace."""
    _ask(_RESET, b"")


def shuffled(items):
    """The items in a secret order, another one in each run. Programs that agents wrote, such as
    tests, could otherwise tell right and wrong variants apart by the order in which they come."""
    items = list(items)
    random.SystemRandom().shuffle(items)
    return items


def _absolute(path):
    return path if path.startswith("/") else os.path.normpath("/work/" + path)


def submitted(path, text=True):
    """The content of a file that the agent left. Raises Refused in words if it left none."""
    if text:
        return submitted(path, text=False).decode("utf-8", "replace")
    place = os.path.join(SUBMISSION, path)
    if os.path.isfile(place):
        with open(place, "rb") as file:
            return file.read()
    if os.path.isdir(place):
        raise Refused("%s is a directory, not a file" % path)
    raise Refused(_why_missing(path))


def _why_missing(path):
    try:
        with open(LEFT_OUT, encoding="utf-8") as file:
            for line in file:
                line = line.rstrip("\n")
                if line.startswith(path + " -> "):
                    return "%s is a link; only regular files are judged" % line
                if line.startswith(path + ": "):
                    return "%s, which is not judged as data" % line
    except OSError:
        pass
    return "%s is missing, or is no regular file" % path


def tree(path="."):
    """The paths of all files that the agent left below `path`, sorted, relative to it."""
    top = os.path.join(SUBMISSION, path)
    found = []
    for directory, _, names in os.walk(top):
        found.extend(os.path.relpath(os.path.join(directory, name), top) for name in names)
    return sorted(found)


_DRIVER = """
import json as _json, os as _os, sys as _sys
_out = _os.fdopen(_os.dup(1), "w")
_os.dup2(2, 1)
_data = _json.load(_sys.stdin)
_sys.path.insert(0, %r)
%s
_out.write("\\n" + _json.dumps(answer(_data)) + "\\n")
_out.flush()
_os._exit(0)
"""


def ask(driver, data, timeout=30, cwd="/work", path="/work"):
    """Runs Python in the judged sandbox. `driver` is source that defines `answer(data)`; `data`
    and the answer are JSON. The source imports what is judged; whatever it holds, judged code can
    read, so it holds no expected value. Raises Refused in words if there is no answer."""
    source = _DRIVER % (path, driver)
    result = run(["python3", "-I", "-B", "-c", source], json.dumps(data), timeout, cwd)
    if not result.ok:
        raise Refused("the program gave no answer: %s" % (result.err.strip()[-SHOWN:] or result))
    try:
        return json.loads(result.out.strip().rpartition("\n")[2])
    except ValueError:
        raise Refused("the program's answer is no JSON: %r" % _cut(result.out))


def fail(what, expected=None, found=None):
    """Ends the check as failed, and says what was expected and what was found."""
    print("%s" % what)
    if expected is not None:
        print("  expected: %s" % _cut(expected))
    if found is not None:
        print("  found:    %s" % _cut(found))
    sys.stdout.flush()
    os._exit(1)


def expect(what, expected, found):
    """Fails unless both are equal and of the same types, also inside of lists and maps."""
    if not _same(expected, found):
        fail(what, repr(expected), repr(found))


def _same(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other


def main(checks):
    """Runs the check that the first argument names: `judged.main({"count": check_count})`. A check
    passes if its function returns; it fails through `fail`, or with any exception."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        checks[name]()
    except Refused as why:
        fail(name, found=why)
    except Unavailable as why:
        print("the judged sandbox is not available: %s" % why)
        sys.exit(70)
