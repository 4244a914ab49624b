"""Judges whether what runs the tests of a project works again. Version 2.

The command of the agent runs in the judged sandbox, over sealed copies of the sources and the tests. What it
says is the agent's word. This is why it can be believed:

- Every test has a drawn name. In two of three rounds, half of those that have a twin are replaced by it, so
  that they fail, and a class with drawn sums stands in one of the files.
- The same round runs in surroundings that work, at another place, before any program of the agent does. The
  names of the tests that fail, their number and the end of the command must be the same.
- The project's own tool must be what runs. It is a sealed copy that also says three drawn words: its own, one of
  a line that is added to the variables, and one of a line that is added to the settings.

If all rounds agree, everything is mended, in whatever files. If not, each broken thing is tried by itself:
its files, as the agent left them, among surroundings that work. The lines `ok PART` and `not ok PART: why` say
what came of each part.
"""

import json
import os
import random
import re

import judged

SEALED = os.path.dirname(os.path.abspath(__file__))
DRAW = random.SystemRandom()
LETTERS = "abcdefghijklmnopqrstuvwxyz"
#: Seconds of a run.
LIMIT = 45

#: What the tool says in the end, and the lines that are added. `given` are its settings.
END = "    sys.exit(0 if result.wasSuccessful() else 1)\n"
SAYS = '    print("mark", %r[::-1], os.environ.get("SUITE_MARK"), given.get("mark"), flush=True)\n'
ADDED = {"tools/env.sh": "\nSUITE_MARK=%s\nexport SUITE_MARK\n", "tools/suite.cfg": "\nmark = %s\n"}
ADD = r"""
import json, os, sys
for path, lines in json.load(sys.stdin):
    # What is no file is broken in another way. A link may lead to one.
    if os.path.isfile(path):
        with open(path, "ab") as file:
            file.write(lines.encode())
"""
SET_ASIDE = r"""
import os, shutil
os.makedirs("/tmp/left")
for name in os.listdir("/work"):
    shutil.move(os.path.join("/work", name), os.path.join("/tmp/left", name))
"""
PUT_BACK = r"""
import json, os, shutil, sys
for path in json.load(sys.stdin):
    left, place = os.path.join("/tmp/left", path), os.path.join("/work", path)
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    elif os.path.lexists(place):
        os.remove(place)
    if os.path.islink(left):
        os.symlink(os.readlink(left), place)
    elif os.path.isdir(left):
        shutil.copytree(left, place, symlinks=True)
    elif os.path.lexists(left):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(left, place)
"""


def main():
    plan = {}
    for name in ("pack.json", "environment.json"):
        with open(os.path.join(SEALED, name), encoding="utf-8") as file:
            plan.update(json.load(file))
    problems = judge(plan)
    for part, why in problems.items():
        print("not ok %s: %s" % (part, str(why).replace("\n", " ")[:300]) if why else "ok %s" % part)


def judge(plan):
    """What is wrong with each part; None for one that holds."""
    twinned = {twin["test"]: twin for twin in judged.shuffled(plan["twins"])}
    first = {at for at in twinned if DRAW.randrange(2)}
    rounds = judged.shuffled([(first, True), (set(twinned) - first, True)])
    rounds.insert(DRAW.randrange(1, 3), (set(), False))
    problems, known = {"suite": None}, None
    for failing, with_sums in rounds:
        texts = variants(plan, twinned, failing, with_sums)
        expected = reference(plan, texts)
        # The first round has tests that fail.
        known = known or (texts, expected)
        problems["suite"] = told(theirs, plan, texts, expected)
        if problems["suite"]:
            break
    for part, paths in plan["parts"].items():
        problems[part] = problems["suite"] and told(alone, plan, *known, paths)
    is_begun = not all(problems.values())
    problems["untouched"] = changed(plan) if is_begun else "nothing is mended"
    return problems


def told(run, plan, texts, expected, *more):
    """What differs between a run of the agent's and the one that is right; None if nothing does."""
    try:
        found = run(plan, texts, *more)
    except judged.Refused as why:
        return str(why)
    if found == expected:
        return None
    number, failing, is_good, said, last = found
    if number != expected[0]:
        return "%s of %d tests ran: %s" % (number, expected[0], last)
    if said != expected[3]:
        return "expected that %s runs the tests, with what %s say; found something else" % (plan["suite"], " and ".join(ADDED))
    return "the tests that fail are not those that should, or the end of the command is wrong: %s" % last


class Run(tuple):
    """How many tests ran, which failed, whether the command said that all is good, what the tool said, and the last
    line. The last line is for people and does not count."""

    def __eq__(self, other):
        return self[:4] == other[:4]

    __hash__ = tuple.__hash__


def outcome(result):
    text = result.out + "\n" + result.err
    ran = re.findall(r"^Ran (\d+) tests? in ", text, re.M)
    failing = frozenset(re.findall(r"^(?:FAIL|ERROR): (\S+)", text, re.M))
    last = (text.strip().splitlines() or [""])[-1]
    said = re.findall(r"^mark (.*)$", result.out, re.M)
    return Run((int(ran[-1]) if ran else 0, failing, result.ended == "exit" and result.code == 0, said, last))


def reference(plan, texts):
    """The round in surroundings that work, in a sandbox in which no program of the agent has run."""
    judged.reset()
    place = "/tmp/" + word()
    lay(plan, texts, place, plan["healthy"])
    mark(plan, place)
    found = outcome(judged.run("./run-tests", timeout=LIMIT, cwd=place))
    if not found[0]:
        raise judged.Unavailable("the tests do not run in surroundings that work: %s" % found[4])
    return found


def theirs(plan, texts):
    """The round in the surroundings that the agent left."""
    judged.reset()
    lay(plan, texts, "/work", [])
    mark(plan, "/work")
    return outcome(judged.run("./run-tests", timeout=LIMIT, cwd="/work"))


def alone(plan, texts, paths):
    """The round with some files of the agent's among surroundings that work."""
    judged.reset()
    python("set aside", SET_ASIDE, "")
    lay(plan, texts, "/work", plan["healthy"])
    python("put back", PUT_BACK, json.dumps(paths))
    mark(plan, "/work")
    return outcome(judged.run("./run-tests", timeout=LIMIT, cwd="/work"))


def python(what, program, given):
    result = judged.run(["python3", "-I", "-c", program], given, timeout=LIMIT, cwd="/tmp")
    if not result.ok:
        raise judged.Refused("%s: %s" % (what, result))


def lay(plan, texts, place, healthy):
    """Lays the sources and the tests, and surroundings that work if they are wanted."""
    for path in plan["files"]:
        content = texts.get(path)
        judged.write("%s/%s" % (place, path), given(path) if content is None else content)
    for path in healthy:
        judged.write("%s/%s" % (place, path), sealed("healthy", path))
    if healthy:
        judged.run(["chmod", "755", "run-tests"], cwd=place)


def mark(plan, place):
    """Lays the tool that says the drawn words, and adds the lines that it reads."""
    suite = sealed("healthy", plan["suite"]).decode()
    if suite.count(END) != 1:
        raise judged.Unavailable("the tool has another end")
    judged.write("%s/%s" % (place, plan["suite"]), suite.replace(END, SAYS % MARKS["suite"] + END))
    python("mark", ADD, json.dumps([["%s/%s" % (place, path), lines % MARKS[path]] for path, lines in ADDED.items()]))


def given(path):
    return sealed("given", path)


def sealed(below, path):
    with open(os.path.join(SEALED, below, path), "rb") as file:
        return file.read()


def changed(plan):
    """The first file of the project that is not as it was given."""
    for path in plan["files"]:
        if judged_bytes(path) != given(path):
            return "%s is not as it was" % path
    if judged_bytes(plan["suite"]) != sealed("healthy", plan["suite"]):
        return "%s is not as it was" % plan["suite"]
    for root in plan["roots"]:
        for name in judged.tree(root):
            path = os.path.normpath(os.path.join(root, name))
            if path not in plan["files"] and "__pycache__" not in path.split("/"):
                return "%s is new" % path
    return None


def judged_bytes(path):
    try:
        return judged.submitted(path, text=False)
    except judged.Refused:
        return None


def variants(plan, twinned, failing, with_sums):
    """The texts of the test files of one round: drawn names, some twins, and the drawn sums."""
    texts = {}
    for path in sorted({test["file"] for test in plan["tests"]}):
        with open(os.path.join(SEALED, "project", path), "rb") as file:
            texts[path] = variant(plan, path, file.read(), twinned, failing)
    if with_sums:
        path = DRAW.choice(sorted(texts))
        texts[path] = texts[path].rstrip() + b"\n\n\n" + sums()
    return texts


def variant(plan, path, text, twinned, failing):
    places = [(test, at) for at, test in enumerate(plan["tests"]) if test["file"] == path]
    left = {test["class"] for test, _ in places}
    cut = [(test, None) for test in plan["left_out"] if test["file"] == path]
    for test, at in sorted(places + cut, key=lambda place: -place[0]["at"][0]):
        start, end = test["at"]
        new = text[start:end]
        if at is None:
            indent = new[: len(new) - len(new.lstrip())]
            new = b"" if test["class"] in left else indent + b"pass\n"
            left.add(test["class"])
        else:
            if at in failing:
                first, last = (place - start for place in twinned[at]["at"])
                new = new[:first] + twinned[at]["text"].encode() + new[last:]
            old, name = re.escape(test["name"].encode()), b"test_" + word().encode()
            new = re.sub(rb"(def\s+)" + old + rb"(\s*\()", rb"\g<1>" + name + rb"\2", new, count=1)
        text = text[:start] + new + text[end:]
    return text


def sums():
    """A class with sums, some of which are wrong. Who wants to know which must work them out."""
    lines = ["class %s(__import__(\"unittest\").TestCase):" % word().title()]
    for at in range(6):
        one, two, three = (DRAW.randrange(100, 1000) for _ in range(3))
        right = (one * two) % three
        lines.append("    def test_%s(self):" % word())
        lines.append("        self.assertEqual(%d * %d %% %d, %d)\n" % (one, two, three, right + (at % 2)))
    return "\n".join(lines).encode()


def word():
    return "".join(DRAW.choice(LETTERS) for _ in range(12))


#: The drawn words, by the file that has them.
MARKS = {name: word() for name in ("suite", *ADDED)}
try:
    main()
except judged.Unavailable as why:
    print("the judged sandbox is not available: %s" % why)
    os._exit(70)
