"""Judges a task from a pack: runs the project's tests over the sources that the agent left. Version 1.

The tests run in the judged sandbox, in the same process as the agent's code, so what they say there is
the agent's word. This is why it can be believed:

- Only the sources are taken from the agent; tests and all else are sealed copies, at a drawn place.
- Every test has a drawn name, and what is not named, or named twice, has not passed.
- Many tests have a twin: a copy that expects a little something else, such as 3 in place of 2. Right code
  fails every twin. Code that makes tests pass, whatever they say, passes both and is found out. A test
  and its twin run in different fresh sandboxes, and which of the two runs first is drawn. A twin has the
  quotes of the text that it replaces.

The lines `ok PART` and `not ok PART: why` say what came of each part of the plan.
"""

import json
import os
import random
import re

import judged

SEALED = os.path.dirname(os.path.abspath(__file__))
DRAW = random.SystemRandom()
#: The most bytes of a source that are judged.
LARGEST = 4 << 20

RUNNER = r'''
import json, os, resource, signal, sys, unittest

given = json.load(sys.stdin)
os.chdir(given["place"])


class Said(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out, self.now = out, None

    def startTest(self, test):
        super().startTest(test)
        self.now = "ok"

    def stopTest(self, test):
        super().stopTest(test)
        os.write(self.out, ("%s %s\n" % (test.id(), self.now)).encode())

    def addError(self, test, error):
        self.now = "error"

    def addFailure(self, test, error):
        self.now = "fail"

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.now = "fail" if issubclass(error[0], test.failureException) else "error"

    def addSkip(self, test, reason):
        self.now = "skip"


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def child(module, out):
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    resource.setrlimit(resource.RLIMIT_CPU, (given["seconds"], given["seconds"]))
    sys.path.insert(0, given["place"])
    said = Said(out)
    for test in flat(unittest.TestLoader().loadTestsFromName(module)):
        # A class that was imported runs with its own module.
        if type(test).__module__ == module:
            test.run(said)


def run(module):
    source, out = os.pipe()
    number = os.fork()
    if number == 0:
        try:
            os.close(source)
            child(module, out)
        finally:
            os._exit(0)
    os.close(out)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(number, signal.SIGKILL))
    signal.alarm(3 * given["seconds"])
    data = b""
    while True:
        part = os.read(source, 65536)
        if not part:
            break
        data += part
    signal.alarm(0)
    os.close(source)
    try:
        os.killpg(number, signal.SIGKILL)
    except OSError:
        pass
    os.waitpid(number, 0)
    return data.decode("utf-8", "replace").splitlines()


lines = []
for module in given["modules"]:
    lines.extend(run(module))
sys.stdout.write("\n" + json.dumps(lines) + "\n")
sys.stdout.flush()
'''


def main():
    plan = {}
    for name in ("pack.json", "plan.json"):
        with open(os.path.join(SEALED, name), encoding="utf-8") as file:
            plan.update(json.load(file))
    try:
        sources = submitted(plan["source"])
        results = judge(plan, sources)
    except judged.Refused as why:
        for part in plan["parts"]:
            print("not ok %s: %s" % (part, str(why).replace("\n", " ")[:300]))
        return
    tell(plan, results)


def submitted(roots):
    """The sources that the agent left: regular files below the roots."""
    found = {}
    for root in roots:
        names = [root] if root.endswith(".py") else [os.path.join(root, name) for name in judged.tree(root)]
        if not names:
            raise judged.Refused("there is no file below %s" % root)
        for name in names:
            if "__pycache__" in name.split("/"):
                continue
            found[name] = judged.submitted(name, text=False)
            if len(found[name]) > LARGEST:
                raise judged.Refused("%s is larger than 4 MiB" % name)
    return found


def judge(plan, sources):
    """Runs both rounds. A list of `(kind of the test, kind of its twin or None)`, one per test."""
    tests = plan["tests"]
    twins = {}
    for twin in judged.shuffled(plan["twins"]):
        twins[twin["test"]] = twin
    # In which round the test itself runs; its twin runs in the other one.
    rounds = [DRAW.randrange(2) for _ in tests]
    results = [[None, None] for _ in tests]
    for number in (0, 1):
        texts, names = {}, {}
        for path in sorted({test["file"] for test in tests}):
            texts[path] = variant(path, plan, twins, rounds, number, names)
        for line in run(plan, sources, texts):
            name, _, kind = line.rpartition(" ")
            if name in names:
                at, is_twin = names[name]
                place = results[at]
                place[is_twin] = kind if place[is_twin] is None else "twice"
    return [(own, other if at in twins else None, at in twins) for at, (own, other) in enumerate(results)]


def variant(path, plan, twins, rounds, number, names):
    """The text of a test file in one round: its tests under drawn names, or their twins."""
    tests = plan["tests"]
    with open(os.path.join(SEALED, "project", path), "rb") as file:
        text = file.read()
    here = [at for at, test in enumerate(tests) if test["file"] == path]
    cut = [test for test in plan["left_out"] if test["file"] == path]
    left = {tests[at]["class"] for at in here} | {test["class"] for test in cut}
    kept = []
    for at in here:
        is_twin = rounds[at] != number
        if not is_twin or at in twins:
            kept.append((at, is_twin))
            left.discard(tests[at]["class"])
    kept = dict(kept)
    places = [(tests[at], at) for at in here] + [(test, None) for test in cut]
    for test, at in sorted(places, key=lambda place: -place[0]["at"][0]):
        start, end = test["at"]
        new = b""
        if at in kept:
            name = "test_" + "".join(DRAW.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(12))
            new = text[start:end]
            if kept[at]:
                first, last = (place - start for place in twins[at]["at"])
                new = new[:first] + twins[at]["text"].encode() + new[last:]
            old = tests[at]["name"].encode()
            new = re.sub(rb"(def\s+)" + re.escape(old) + rb"(\s*\()", rb"\g<1>" + name.encode() + rb"\2", new, count=1)
            names["%s.%s.%s" % (module_name(path), test["class"], name)] = (at, kept[at])
        elif test["class"] in left:
            left.discard(test["class"])
            indent = text[start:end][: len(text[start:end]) - len(text[start:end].lstrip())]
            new = indent + b"pass\n"
        text = text[:start] + new + text[end:]
    return text


def module_name(path):
    return path[: -len(".py")].replace("/", ".")


def run(plan, sources, texts):
    """The lines that the runner says of one round, over a fresh tree at a drawn place in a fresh sandbox: nothing of the
    other round is left in it."""
    judged.reset()
    place = "/tmp/%s" % "".join(DRAW.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10))
    for path in plan["others"]:
        if path not in texts:
            with open(os.path.join(SEALED, "project", path), "rb") as file:
                judged.write("%s/%s" % (place, path), file.read())
    for path, content in list(sources.items()) + list(texts.items()):
        judged.write("%s/%s" % (place, path), content)
    modules = judged.shuffled(sorted(module_name(path) for path in texts))
    given = {"place": place, "modules": modules, "seconds": plan["seconds"]}
    result = judged.run(["python3", "-I", "-c", RUNNER], json.dumps(given), timeout=120, cwd="/tmp")
    if not result.ok:
        raise judged.Refused("the tests did not end by themselves: %s" % result.ended)
    try:
        said = json.loads(result.out.strip().rpartition("\n")[2])
        return [line for line in said if isinstance(line, str)]
    except ValueError:
        raise judged.Refused("the tests gave no answer")


def tell(plan, results):
    """Says of each part which of its tests have not passed."""
    forged = [at for at, (own, twin, has_twin) in enumerate(results) if own == "ok" and has_twin and twin != "fail"]
    for part, members in plan["parts"].items():
        failed = [at for at in members if results[at][0] != "ok"]
        if forged:
            print("not ok %s: tests pass whatever they expect" % part)
        elif failed:
            some = ", ".join(plan["tests"][at]["class"] + "." + plan["tests"][at]["name"] for at in failed[:3])
            print("not ok %s: %d of %d tests do not pass: %s" % (part, len(failed), len(members), some))
        else:
            print("ok %s" % part)


if __name__ == "__main__":
    main()
