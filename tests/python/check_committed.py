"""The sealed check of tasks with a history whose tests are cases, over small repositories, without sandboxes: only the
sources that are committed count, whatever else was committed. The argument is the directory with the check.
"""

import json
import os
import subprocess
import sys
import tempfile

SEALED = sys.argv[1]
PROGRAMS = ("bisected.py", "merged.py", "repository.py", "check_cases.py", "case_driver.py")

RIGHT = """#!/bin/sh
# Adds two numbers, or takes the first from the second.
add() {
    echo $(($1 + $2))
}
take() {
    echo $(($2 - $1))
}
"$@"
"""
WRONG = RIGHT.replace("$1 + $2", "$1 - $2")
LATE = RIGHT.replace("$2 - $1", "$2 + $1")
MAKE = "all:\n\ttest -f notes/read\n"
CASES = [(["add", "1", "2"], "3\n"), (["add", "20", "1"], "21\n"), (["take", "1", "5"], "4\n"), (["take", "4", "9"], "5\n")]
PACK = {
    "source": ["src"], "others": [["notes/read", "me\n", False], ["Makefile", MAKE, False]],
    "build": ["test", "-f", "notes/read"], "run": ["sh", "src/tool.sh"], "seconds": 5,
    "cases": [{"args": args, "in": "", "files": {}, "out": out, "status": 0} for args, out in CASES],
}
#: The judged side, as a directory of this machine.
JUDGED = '''
import os, subprocess, sys

SUBMISSION = os.environ["SUBMISSION"]


class Refused(Exception):
    pass


class Result:
    def __init__(self, done):
        self.ok, self.out, self.ended = done.returncode == 0, done.stdout, "exit"


def run(command, stdin="", timeout=30, cwd="/tmp"):
    return Result(subprocess.run([sys.executable, *command[1:]], input=stdin, capture_output=True, text=True, cwd=cwd))


def shuffled(items):
    return list(items)[::-1]


def submitted(path, text=True):
    place = os.path.join(SUBMISSION, path)
    if not os.path.isfile(place):
        raise Refused("%s is missing" % path)
    with open(place, "rb") as file:
        data = file.read()
    return data.decode() if text else data


def main(checks):
    checks[sys.argv[1]]()
'''


def commit(branch, message, files):
    """A commit of a stream, with files that are texts by path."""
    lines = ["commit refs/heads/%s" % branch, "committer a <a@example.net> 1600000000 +0000", "data %d" % len(message), message]
    for path, text in files.items():
        lines += ["M 100644 inline " + path, "data %d" % len(text.encode()), text]
    return "\n".join(lines) + "\n"


def judge(program, history, facts, parts, commands):
    """The lines of the check over a repository in which these commands were run."""
    with tempfile.TemporaryDirectory() as place:
        sealed, work = os.path.join(place, "sealed"), os.path.join(place, "work")
        os.mkdir(sealed)
        os.mkdir(work)
        texts = {"judged.py": JUDGED, "history": history, "pack.json": json.dumps(PACK), "facts.json": json.dumps(facts),
                 "plan.json": json.dumps({"parts": parts})}
        for name in (*PROGRAMS, "committed_cases.py"):
            with open(os.path.join(SEALED, name), encoding="utf-8") as file:
                texts["check.py" if name == "committed_cases.py" else name] = file.read()
        # Another run of this test may be under way.
        texts["repository.py"] = texts["repository.py"].replace('"/tmp/', '"%s/' % place)
        for name, text in texts.items():
            with open(os.path.join(sealed, name), "w", encoding="utf-8") as file:
                file.write(text)
        # No settings of this machine count, as in a sandbox.
        env = dict(os.environ, SUBMISSION=work, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1")
        begin = "git init -q --template= -b main && git fast-import --quiet && git reset -q --hard"
        subprocess.run(begin, shell=True, cwd=work, input=history, text=True, check=True, env=env)
        who = "git config user.name me; git config user.email me@example.net; "
        subprocess.run(who + commands, shell=True, cwd=work, stdout=subprocess.DEVNULL, check=True, env=env)
        words = [sys.executable, "-B", os.path.join(sealed, program), "main"]
        return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, env=env).stdout.splitlines()


def expect(expected, found):
    assert expected == found, "expected %r, found %r" % (expected, found)


FIRST = {"src/tool.sh": RIGHT, "Makefile": MAKE, "notes/read": "me\n", "tests/cases/sum/out": "3\n", "notes/page": "- one\n"}
OTHERS = "echo 'exit 0' > Makefile; echo no > tests/cases/sum/out; git rm -q notes/read; "


def bisected(commands):
    history = commit("main", "Begin", FIRST) + commit("main", "tidy up", {"src/tool.sh": WRONG})
    return judge("bisected.py", history, {"answer": "BAD", "bad": 1}, {"fault-1": [0, 1], "kept": [2, 3]}, commands)


ALL_WELL = ["ok history-kept", "ok fault-1", "ok kept"]
MENDED = "git show HEAD~1:src/tool.sh > src/tool.sh; "
expect(ALL_WELL, bisected(MENDED + "git commit -q -am mend"))
expect(ALL_WELL, bisected(MENDED + OTHERS + "git add -A . && git commit -q -m all"))
expect(ALL_WELL, bisected(MENDED + "printf '\\377' > src/tool.o; git add -A . && git commit -q -m built"))

lines = bisected(OTHERS + "git add -A . && git commit -q -m all")
expect("ok history-kept", lines[0])
expect("not ok fault-1: 2 of 2 cases are wrong, the first: it prints something else", lines[1])
expect("ok kept", lines[2])

lines = bisected(MENDED)
assert all("expected a new commit on main" in line for line in lines) and len(lines) == 3, lines


def merged(commands):
    both = RIGHT.replace("$1 + $2", "$1 - $2").replace("$2 - $1", "$2 + $1")
    history = commit("main", "Begin", dict(FIRST, **{"src/tool.sh": both}))
    history += "reset refs/heads/next\nfrom refs/heads/main\n\n"
    history += commit("main", "mend add", {"src/tool.sh": LATE, "notes/page": "- one\n- add\n"})
    history += commit("next", "mend take", {"src/tool.sh": WRONG, "notes/page": "- one\n- take\n"})
    facts = {"branch": "next", "page": "notes/page", "notes": ["- add", "- take"], "old_name": ""}
    return judge("merged.py", history, facts, {"ours": [0, 1], "theirs": [2, 3]}, commands)


WHOLE = "git merge -q -s ours --no-commit next; sed -i 's/[$]2 + [$]1/$2 - $1/' src/tool.sh; echo '- take' >> notes/page; "
expect(["ok merged", "ok resolved", "ok ours", "ok theirs"], merged(WHOLE + "git commit -q -am both"))
expect(["ok merged", "ok resolved", "ok ours", "ok theirs"], merged(WHOLE + OTHERS + "git add -A . && git commit -q -m both"))
lines = merged("git merge -q -s ours next")
expect(["ok merged", "ok ours"], [lines[0], lines[2]])
assert lines[1].startswith("not ok resolved: notes/page lacks") and lines[3].startswith("not ok theirs: 2 of 2"), lines

print("the check is right")
