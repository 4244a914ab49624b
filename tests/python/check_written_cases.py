"""The sealed check of cases that an agent wrote, over a small program, without sandboxes: cases that notice faults, that
do not, that are wrong or no cases, and such as reach for the program itself. The argument is the directory with the check.
"""

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import types

SEALED = sys.argv[1]

PROGRAM = """#!/bin/sh
# Counts: tool.sh sum|most NUMBER..., and some things that no case may depend on.
sum() {
    total=0
    for n in "$@"; do
        total=$((total + n))
    done
    echo "the sum is $total"
}
most() {
    most=$1
    for n in "$@"; do
        if [ "$n" -gt "$most" ]; then
            most=$n
        fi
    done
    echo "most is $most"
}
what=$1
shift
case $what in
sum) sum "$@" ;;
most) most "$@" ;;
home) echo "${#HOME}" ;;
variables) env | wc -c ;;
text) cksum <"$0" ;;
lines) grep -c 'total + n' "$0" ;;
loop) while :; do :; done ;;
*) exit 3 ;;
esac
"""


def fault(name, old, new, function, part):
    at = PROGRAM.index(old)
    return {"id": name, "file": "tool.sh", "at": [at, at + len(old)], "text": new, "function": function, "part": part}


PLAN = {
    "prefix": "new-", "least": 3, "most": 8, "bytes": 4000, "refused": ["/proc", "/dev/", "/sys/"], "language": "shell",
    "build": ["test", "-f", "notes/read"], "run": ["sh", "tool.sh"], "gone": ["tool.sh"], "seconds": 1, "all_seconds": 4,
    "parts": ["accepts", "notices-1", "notices-2"],
    "faults": [fault("f1", "-gt", "-lt", "tool.most", "notices-1"), fault("f2", "total + n", "total - n", "tool.sum", "notices-2"),
               fault("f3", 'in "$@"; do\n        total', 'in; do\n        total', "tool.sum", "notices-2")],
}
PROJECT = [["tool.sh", PROGRAM, True], ["notes/read", "me\n", False]]


def case(words, out, status=None, **more):
    parts = {"cmd": "".join(word + "\n" for word in words), "out": out, **more}
    if status is not None:
        parts["status"] = status
    return parts


GOOD = {
    "new-1": case(["sum", "1", "2"], "the sum is 3\n"),
    "new-2": case(["most", "1", "2"], "most is 2\n"),
    "new-3": case(["none"], "", "3\n"),
}
WHOLE = ["ok accepts", "ok notices-1", "ok notices-2"]


class Refused(Exception):
    pass


class Unavailable(Exception):
    pass


class Result:
    def __init__(self, out):
        self.out = out


class Judged(types.ModuleType):
    """The judged side, as a directory of this machine."""

    Refused, Unavailable = Refused, Unavailable

    def __init__(self, submission, answer):
        super().__init__("judged")
        self.SUBMISSION, self.LEFT_OUT = submission, submission + ".left-out"
        self.answer, self.builds, self.given = answer, 0, []

    def reset(self):
        pass

    def listed(self, path="."):
        return {}

    def run(self, command, stdin="", timeout=30, cwd="/work"):
        if isinstance(command, str):
            return Result("")
        self.builds += 1
        self.given.append(json.loads(stdin))
        if self.answer is not None:
            return Result(self.answer)
        done = subprocess.run([sys.executable, *command[1:]], input=stdin, capture_output=True, text=True, cwd=cwd)
        return Result(done.stdout)

    def tree(self, path="."):
        top = os.path.join(self.SUBMISSION, path)
        found = [os.path.join(at, name) for at, _, names in os.walk(top) for name in names]
        return sorted(os.path.relpath(path, top) for path in found)

    def submitted(self, path, text=True):
        with open(os.path.join(self.SUBMISSION, path), "rb") as file:
            return file.read()

    def shuffled(self, items):
        return list(items)[::-1]


def sealed_copy(name, place):
    """A sealed program whose /tmp is below a directory of the test's own."""
    with open(os.path.join(SEALED, name), encoding="utf-8") as file:
        program = file.read().replace('"/tmp/', '"%s/tmp/' % place)
    with open(os.path.join(place, name), "w", encoding="utf-8") as file:
        file.write(program)


def judge(cases, answer=None, command="checks", left_out="", **changed):
    """The lines of the check for some cases, and the judged side."""
    plan = dict(PLAN, **changed)
    with tempfile.TemporaryDirectory() as place:
        submission = os.path.join(place, "submission")
        for name, parts in cases.items():
            for part, content in parts.items():
                path = os.path.join(submission, "tests/cases", name, part)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content if isinstance(content, bytes) else content.encode())
        with open(submission + ".left-out", "w", encoding="utf-8") as file:
            file.write(left_out)
        os.mkdir(os.path.join(place, "tmp"))
        for name in ("written_cases.py", "case_driver.py"):
            sealed_copy(name, place)
        with open(os.path.join(place, "project.json"), "w", encoding="utf-8") as file:
            json.dump(PROJECT, file)
        judged = sys.modules["judged"] = Judged(submission, answer)
        spec = importlib.util.spec_from_file_location("written_cases", os.path.join(place, "written_cases.py"))
        check = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(check)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            getattr(check, command)(plan)
        judged.check = check
        return said.getvalue().splitlines(), judged


def expect(expected, found):
    assert expected == found, "expected %r, found %r" % (expected, found)


def refused(why, cases, **more):
    """Cases that the check does not take, or that are wrong with the right program. Then no part passes."""
    lines, judged = judge(cases, **more)
    assert lines[0].startswith("not ok accepts: ") and why in lines[0], lines
    for line in lines[1:]:
        assert line.startswith("not ok notices-") and "nothing counts as noticed" in line, lines
    return judged


def also(**cases):
    return {**GOOD, **{name.replace("_", "-"): parts for name, parts in cases.items()}}


# Cases that notice all faults. Old cases count neither for nor against them.
lines, judged = judge({**GOOD, "old": case(["sum", "1"], "no\n")})
expect(WHOLE, lines)
expect(3 + len(PLAN["faults"]), judged.builds)
places = [run["place"] for given in judged.given for run in given["runs"]]
expect(2 * judged.builds, len(set(places)))
lines, judged = judge(GOOD, command="milestones")
expect(WHOLE, lines)
assert all(len(given["runs"]) == 1 for given in judged.given), "milestones have one run of each program"

# A fault that no case notices costs its part alone.
lines, _ = judge({**GOOD, "new-2": case(["most", "2", "2"], "most is 2\n")})
expect(["ok accepts", "not ok notices-1: 1 of 1 faults in tool.most are not noticed", "ok notices-2"], lines)
lines, _ = judge({**GOOD, "new-1": case(["sum"], "the sum is 0\n")})
expect("not ok notices-2: 2 of 2 faults in tool.sum are not noticed", lines[2])

# What is wrong with the right program.
refused("the case new-4 prints something else", also(new_4=case(["sum", "1"], "wrong\n")))
refused("the case new-4 has exit code 3, not 0", also(new_4=case(["none"], "")))
refused("the case new-1 prints something else", {**GOOD, "new-1": case(["sum", "1", "2"], "")})
refused("the case new-4 takes too long", also(new_4=case(["loop"], "")))
refused("the case new-4", also(new_4=case(["home"], "12\n")))
refused("the case new-4", also(new_4=case(["variables"], "200\n")))
refused("the case new-4", also(new_4=case(["text"], "1 2\n")))
judged = refused("the cases do not end", GOOD, answer="no answer")
expect(2, judged.builds)

# What is no case, or not enough of them.
refused("there are 0 different cases", {})
refused("there are 2 different cases", {name: GOOD[name] for name in ("new-1", "new-2")})
refused("there are 1 different cases", {"new-%d" % n: GOOD["new-1"] for n in range(5)})
refused("there are 9 cases, and 8 are allowed", {"new-%d" % n: case(["sum", str(n)], "") for n in range(9)})
refused("too large together", also(new_4=case(["sum"], "x" * 4000)))
refused("too large together", also(new_4={"out": "", **{"files/%03d" % n: "" for n in range(600)}}))
refused("has no file `out`", also(new_4={"cmd": "sum\n"}))
refused("a part that no case has: args", also(new_4=case([], "", args="x")))
refused("no exit code", also(new_4=case([], "", "256")))
refused("no exit code", also(new_4=case([], "", "\u0663")))
refused("other than letters", also(**{"new_4 x": case([], "")}))
refused("no text in UTF-8", also(new_4={"out": b"\xff"}))
refused("only regular files", GOOD, left_out="tests/cases/new-4/in -> /etc/passwd\n")
expect(WHOLE, judge(GOOD, left_out="build/x: a device\n")[0])

# What leads to other places.
for argument in ("/etc/passwd", "..", "a/../../b", "a\0b"):
    refused("leads out of its directory", also(new_4=case(["sum", argument], "")))
for parts in (case(["sum", "x/proc/self/exe"], ""), case([], "", **{"in": "read /dev/fd/10"}),
              case([], "", **{"files/a": "/sys/x"}), case([], "", **{"files/proc/proc": "a/proc/b"})):
    refused("the case new-4 names `/", also(new_4=parts))

# A host that builds nothing gives no label.
try:
    judge(GOOD, build=["false"])
    raise AssertionError("a build that fails is no label")
except Unavailable:
    pass

# A source that is covered does the same and has the lines of all of its texts.
wrong = PROGRAM.replace("total + n", "total - n")
for _ in range(20):
    right = judged.check.covered("shell", PROGRAM, [PROGRAM, wrong])
    other = judged.check.covered("shell", wrong, [PROGRAM, wrong])
    for text in (right, other):
        assert text.startswith("#!/bin/sh\n"), text[:40]
        assert "total + n" in text and "total - n" in text, text
    for words, said in ((["sum", "4", "3"], (0, "the sum is 7\n")), (["none"], (3, ""))):
        done = subprocess.run(["sh", "-c", right, "tool", *words], capture_output=True, text=True)
        expect(said, (done.returncode, done.stdout))
script = judged.check.covered("javascript", "let a; /* b */\n", ["let a; /* b */\n"] * 3)
assert script.count("*/") == script.count("/*") - script.count("* /"), script

print("the check is right")
