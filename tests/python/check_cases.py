"""The sealed check of tasks whose tests are cases, over a small program, without sandboxes: right and wrong
programs, and what a judged side might say that is no answer. The argument is the directory with the check.
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
# Adds numbers.
sum=0
for n in "$@"; do
    if [ "$n" -lt 0 ]; then
        echo "negative: $n" >&2
        exit 3
    fi
    sum=$((sum + n))
done
[ -f extra ] && cat extra
cat
echo "$sum"
"""


def case(args, out, status=0, given="", files=None):
    return {"args": args, "in": given, "files": files or {}, "out": out, "status": status}


PLAN = {
    "source": ["tool.sh"], "others": [["notes/read", "me\n", False]], "build": ["test", "-f", "notes/read"],
    "run": ["sh", "tool.sh"], "seconds": 2,
    "cases": [case(["1", "2"], "3\n"), case(["1", "-2"], "", 3), case([], "hi\n0\n", given="hi\n"),
              case(["5"], "x\n5\n", files={"extra": "x\n"}), case(["4", "4", ""], "", 2)],
    "parts": {"fault-1": [0, 3], "kept": [1, 2]},
}


class Refused(Exception):
    pass


class Result:
    def __init__(self, ok, out):
        self.ok, self.out, self.ended = ok, out, "exit" if ok else "signal"


class Judged(types.ModuleType):
    """The judged side, as a directory of this machine."""

    Refused = Refused

    def __init__(self, submission, answer=None):
        super().__init__("judged")
        self.SUBMISSION, self.answer, self.asked = submission, answer, []

    def run(self, command, stdin="", timeout=30, cwd="/work"):
        self.asked.append(stdin)
        if self.answer is not None:
            return Result(True, self.answer)
        done = subprocess.run([sys.executable, *command[1:]], input=stdin, capture_output=True, text=True, cwd=cwd)
        return Result(done.returncode == 0, done.stdout)

    def tree(self, path="."):
        top = os.path.join(self.SUBMISSION, path)
        found = [os.path.join(at, name) for at, _, names in os.walk(top) for name in names]
        return sorted(os.path.relpath(path, top) for path in found)

    def submitted(self, path, text=True):
        place = os.path.join(self.SUBMISSION, path)
        if not os.path.isfile(place):
            raise Refused("%s is missing" % path)
        with open(place, "rb") as file:
            return file.read()

    def shuffled(self, items):
        return list(items)[::-1]


def sealed_copy(name, place):
    """A sealed program whose /tmp is below a directory of the test's own."""
    with open(os.path.join(SEALED, name), encoding="utf-8") as file:
        program = file.read().replace('"/tmp/', '"%s/tmp/' % place)
    with open(os.path.join(place, name), "w", encoding="utf-8") as file:
        file.write(program)


def judge(program, answer=None, plan=PLAN):
    """The lines of the check for a program (none: no file), and what the judged side was told."""
    with tempfile.TemporaryDirectory() as place:
        submission = os.path.join(place, "submission")
        os.mkdir(submission)
        if program is not None:
            with open(os.path.join(submission, "tool.sh"), "w", encoding="utf-8") as file:
                file.write(program)
        os.mkdir(os.path.join(place, "tmp"))
        for name in ("check_cases.py", "case_driver.py"):
            sealed_copy(name, place)
        pack = {key: plan[key] for key in plan if key != "parts"}
        for name, content in (("pack.json", pack), ("plan.json", {"parts": plan["parts"]})):
            with open(os.path.join(place, name), "w", encoding="utf-8") as file:
                json.dump(content, file)
        judged = sys.modules["judged"] = Judged(submission, answer)
        spec = importlib.util.spec_from_file_location("check_cases", os.path.join(place, "check_cases.py"))
        check = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(check)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            check.main()
        return said.getvalue().splitlines(), judged.asked


def expect(expected, found):
    assert expected == found, "expected %r, found %r" % (expected, found)


lines, told = judge(PROGRAM)
expect(["ok fault-1", "ok kept"], lines)
expect(1, len(told))
for secret in ('"out"', '"status"', '"name"', "hi\\n0", "parts"):
    assert secret not in told[0], "the judged side was told %s" % secret

lines, _ = judge(PROGRAM.replace("sum + n", "sum - n"))
expect("not ok fault-1: 2 of 2 cases are wrong, the first: it prints something else", lines[0])
expect("ok kept", lines[1])

lines, _ = judge(PROGRAM.replace("exit 3", "exit 0"))
expect("ok fault-1", lines[0])
expect("not ok kept: 1 of 2 cases are wrong, the first: exit code 0, not 3", lines[1])

lines, _ = judge(PROGRAM.replace("sum=0", "while :; do :; done"), plan=dict(PLAN, seconds=1))
assert lines[0].startswith("not ok fault-1: 2 of 2 cases are wrong"), lines
assert "took too long" in lines[0] + lines[1], lines

lines, _ = judge(PROGRAM, plan=dict(PLAN, build=["false"]))
expect(["not ok fault-1: the build ends with 1: ", "not ok kept: the build ends with 1: "], lines)

lines, _ = judge(None)
assert lines[0].startswith("not ok fault-1: there is no file below tool.sh"), lines

for answer in ("", "{}", "[]", '{"outcomes": []}', '{"outcomes": [1, 2, 3, 4, 5]}', '{"outcomes": [{}, {}, {}, {}, {}]}',
               '{"outcomes": null}', '{"problem": "no\\nway"}', "ok fault-1\nok kept"):
    lines, _ = judge(PROGRAM, answer)
    expect(2, len(lines))
    assert all(line.startswith("not ok ") for line in lines), (answer, lines)

print("the check is right")
