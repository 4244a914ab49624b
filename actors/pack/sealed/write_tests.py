"""Judges tests that the agent wrote for one module of a project. Version 2.

The tests run in the judged sandbox, over the project with the module as it is, with right modules and with wrong
ones. What they say there is the agent's word, but they cannot know what to say:

- Only the file with the tests is taken from the agent. All else is a sealed copy, and `/work` is emptied.
- Every module but the first, which everybody knows, is written anew each time, in other words (`disguise.py`), whether
  it is right or wrong. All lie at one path, and come in a secret order.
- Wrong modules come twice, right ones several times. Tests that leave one fault to chance are found out.
- Tests that have the module's code themselves, or execute texts, are not run: a copy of the module is no expected value
  (`copied_code.py`).
- A sandbox sees few of them. Tests that end the process, or hang, have failed: for right modules too.

The lines `ok PART` and `not ok PART: why` say what came of each part of the plan.
"""

import json
import os
import random

import copied_code
import judged
from disguise import disguised

SEALED = os.path.dirname(os.path.abspath(__file__))
PLACE = "/tmp/%s" % "".join(random.SystemRandom().choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10))
#: The part for right modules. All others are faults in one function each.
ACCEPTS = "accepts"
#: So many right modules that are written anew.
RIGHT = 6
#: So many modules share a sandbox.
SHARED = 8
#: The most bytes of the agent's tests.
LARGEST = 1 << 20

RUNNER = r'''
import importlib, json, os, resource, shutil, sys, unittest

given = json.load(sys.stdin)
out = os.dup(1)
nothing = os.open(os.devnull, os.O_RDWR)
for stream in (0, 1, 2):
    os.dup2(nothing, stream)
place = given["place"]
shutil.rmtree(place, ignore_errors=True)
for path, content, mode in given.pop("files"):
    path = os.path.join(place, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(content)
    os.chmod(path, mode)
os.chdir(place)
resource.setrlimit(resource.RLIMIT_CPU, (given["seconds"], given["seconds"]))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.path.insert(0, place)
result = unittest.TestResult()
bad = []
del content
try:
    # Tests see what the module does, not its text.
    importlib.import_module(given["judged"])
    os.remove(os.path.join(place, given["source"]))
    tests = unittest.TestLoader().loadTestsFromName(given["module"])
except Exception as why:
    bad.append("the file cannot be loaded: %r" % why)
else:
    tests.run(result)
bad += [test.id() + ": " + (text.strip().splitlines() or [""])[-1] for test, text in result.failures + result.errors]
bad += [test.id() + ": it passes unexpectedly" for test in result.unexpectedSuccesses]
os.write(out, ("\n" + json.dumps([result.testsRun - len(result.skipped), sorted(bad)[:20]]) + "\n").encode())
os._exit(0)
'''


def checks(plan):
    tell(plan, tried(plan, RIGHT, plan["faults"] * 2, anew=True))


def milestones(plan):
    """Little, so that it is soon told. Milestones decide nothing, so one sandbox is enough."""
    few = [fault for at, fault in enumerate(plan["faults"]) if same_part(plan, fault, at) < 2]
    tell(plan, tried(plan, 1, few, anew=False))


def same_part(plan, fault, at):
    """How many faults of the same part come before this one."""
    return sum(other["part"] == fault["part"] for other in plan["faults"][:at])


def tried(plan, rights, faults, anew):
    """What is wrong: `{part: [why, ...]}`. The module as it is comes first."""
    found = {part: [] for part in plan["parts"]}
    try:
        judge = Judge(plan)
        found[ACCEPTS] = judge.refusals(judge.original, is_known=True)
        trials = [(None, judge.original)] * rights + [(fault, judge.mutant(fault)) for fault in faults]
        missed, since = set(), SHARED
        for fault, source in judged.shuffled(trials):
            # What is not right needs no other try.
            if found[ACCEPTS] or (fault and fault["id"] in missed):
                continue
            if anew and since >= SHARED:
                judge.begin()
                since = 0
            since += 1
            if fault is None:
                found[ACCEPTS] = judge.refusals(disguised(source), is_known=False)
            elif not judge.notices(disguised(source)):
                missed.add(fault["id"])
                found[fault["part"]].append(fault["id"])
    except judged.Refused as why:
        found[ACCEPTS] = [str(why)]
    return found


class Judge:
    """The agent's tests, and the project in which they run."""

    def __init__(self, plan):
        self.plan = plan
        self.tests = judged.submitted(plan["file"])
        if len(self.tests) > LARGEST:
            raise judged.Refused("%s is larger than 1 MiB" % plan["file"])
        self.files = project()
        self.original = next(content for path, content, _ in self.files if path == plan["module"])
        with open(os.path.join(SEALED, "home.py"), encoding="utf-8", newline="") as file:
            names = {fault["function"] for fault in plan["faults"]}
            why = copied_code.problem(self.tests, self.original, names, file.read())
        if why:
            raise judged.Refused(why)
        self.begin()

    def begin(self):
        """A fresh sandbox, in which nothing is but what is sent there."""
        judged.reset()
        judged.run("chmod -R u+rwX /work; find /work -mindepth 1 -delete", cwd="/tmp")
        if judged.listed("/work"):
            raise judged.Refused("the workspace cannot be emptied")

    def mutant(self, fault):
        """The module with a fault. Its places are bytes."""
        text, (start, end) = self.original.encode(), fault["at"]
        return (text[:start] + fault["text"].encode() + text[end:]).decode()

    def run(self, source):
        """How many tests ran, and those that failed. None if they gave no answer."""
        files = [file for file in self.files if file[0] not in (self.plan["module"], self.plan["file"])]
        files += [(self.plan["module"], source, 0o644), (self.plan["file"], self.tests, 0o644)]
        name = self.plan["file"][: -len(".py")].replace("/", ".")
        source = self.plan["module"]
        judged_name = source[: -len(".py")].replace("/", ".")
        judged_name = judged_name[: -len(".__init__")] if judged_name.endswith(".__init__") else judged_name
        given = {"place": PLACE, "files": files, "module": name, "seconds": self.plan["seconds"]}
        given.update(judged=judged_name, source=source)
        result = judged.run(["python3", "-I", "-B", "-c", RUNNER], json.dumps(given), self.plan["seconds"] * 2, "/tmp")
        try:
            ran, bad = json.loads(result.out.strip().rpartition("\n")[2])
            return int(ran), [str(why) for why in bad]
        except (ValueError, TypeError):
            return None

    def refusals(self, source, is_known):
        """Why a right module does not pass."""
        # A host that stalls once says nothing of the tests.
        said = self.run(source) or self.run(source)
        what = "with the module as it is" if is_known else "with a right module that is written differently"
        if said is None:
            return ["%s, the tests do not end by themselves within %d seconds" % (what, self.plan["seconds"])]
        ran, bad = said
        if bad:
            # What a test says of another module depends on chance.
            shown = bad[:3] if is_known else [why.partition(":")[0] for why in bad[:3]]
            # Where it lies is drawn.
            return ["%s, these fail: %s" % (what, "; ".join(shown).replace(PLACE + "/", ""))]
        least = self.plan["least"]
        return ["only %d tests ran, not %d" % (ran, least)] if ran < least else []

    def notices(self, source):
        """Whether a test fails for a wrong module."""
        said = self.run(source)
        return said is None or bool(said[1])


def project():
    """The sealed project: `(path, content, mode)`."""
    top, found = os.path.join(SEALED, "project"), []
    for directory, _, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, encoding="utf-8", newline="") as file:
                mode = 0o755 if os.stat(path).st_mode & 0o100 else 0o644
                found.append((os.path.relpath(path, top), file.read(), mode))
    return sorted(found)


def tell(plan, found):
    """Says what came of each part. To notice everything is no merit: without right modules that pass, no part does."""
    for part in plan["parts"]:
        if found[ACCEPTS] and part == ACCEPTS:
            print("not ok %s: %s" % (part, printable(found[ACCEPTS][0])[:600]))
        elif found[ACCEPTS]:
            print("not ok %s: right modules do not pass, so nothing counts as noticed" % part)
        elif found[part]:
            function = next(fault["function"] for fault in plan["faults"] if fault["part"] == part)
            of = sum(fault["part"] == part for fault in plan["faults"])
            print("not ok %s: %d of %d faults in %s are not noticed" % (part, len(found[part]), of, function))
        else:
            print("ok %s" % part)


def printable(text):
    """A text of the agent's in one line."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def with_plan(run):
    with open(os.path.join(SEALED, "plan.json"), encoding="utf-8") as file:
        run(json.load(file))


judged.main({"checks": lambda: with_plan(checks), "milestones": lambda: with_plan(milestones)})
