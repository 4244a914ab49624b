"""Judges whether what builds a program and runs its cases works again. Version 2.

The command of the agent runs in the judged sandbox, over sealed copies of the sources and the cases. What it
says is the agent's word. This is why it can be believed:

- Every case has a drawn name. In two of three rounds, a drawn fault is in the sources, so that some cases fail, and
  of the others every second one expects something else, so that it fails too. Who wants to know which ones fail must
  build the sources as they are, run the program and compare.
- The same round runs in surroundings that work, at another place, before any program of the agent does. The
  cases that are right, those that fail, and the end of the command must be the same.
- The project's own script must be what runs. It is a sealed copy that also says three drawn words: its own, one of
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
LIMIT = 60

LAY = r"""
import json, os, shutil, sys
given = json.load(sys.stdin)
def clear(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)
for path in given["gone"]:
    clear(os.path.join(given["place"], path))
for path, text, mode in given["files"]:
    target = os.path.join(given["place"], path)
    clear(target)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(text.encode())
    os.chmod(target, mode)
"""
#: Where the script gets one more setting, what it says when the cases have run, and the lines that are added.
SETTING, MORE = "    only=*) only=${line#only=} ;;\n", "    mark=*) mark=${line#mark=} ;;\n"
END = 'if [ "$all" -eq 0 ]; then\n'
SAYS = 'one=%s two=%s\necho "mark $two$one $SUITE_MARK $mark"\n'
ADDED = {"tools/env.sh": "\nSUITE_MARK=%s\nexport SUITE_MARK\n", "tools/suite.cfg": "\nmark=%s\n"}
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
    with open(os.path.join(SEALED, "environment.json"), encoding="utf-8") as file:
        plan = json.load(file)
    problems = judge(plan)
    for part, why in problems.items():
        print("not ok %s: %s" % (part, str(why).replace("\n", " ")[:300]) if why else "ok %s" % part)


def judge(plan):
    """What is wrong with each part; None for one that holds."""
    faults = judged.shuffled(plan["faults"])
    rounds = [faults[0], faults[-1]]
    rounds.insert(DRAW.randrange(1, 3), None)
    problems, known = {"suite": None}, None
    for fault in rounds:
        files = variant(plan, fault)
        expected = reference(plan, files)
        # The first round has cases that fail.
        known = known or (files, expected)
        problems["suite"] = told(theirs, plan, files, expected)
        if problems["suite"]:
            break
    for part, paths in plan["parts"].items():
        problems[part] = problems["suite"] and told(alone, plan, *known, paths)
    is_begun = not all(problems.values())
    problems["untouched"] = changed(plan) if is_begun else "nothing is mended"
    return problems


def told(run, plan, files, expected, *more):
    """What differs between a run of the agent's and the one that is right; None if nothing does."""
    try:
        found = run(plan, files, *more)
    except judged.Refused as why:
        return str(why)
    if found == expected:
        return None
    number, wanted = len(found[0]) + len(found[1]), len(expected[0]) + len(expected[1])
    if number != wanted:
        return "%d of %d cases ran: %s" % (number, wanted, found[4])
    if found[3] != expected[3]:
        return "expected that %s runs the cases, with what %s say; found something else" % (plan["suite"], " and ".join(ADDED))
    return "the cases that fail are not those that should, or the end of the command is wrong: %s" % found[4]


class Run(tuple):
    """The cases that are right, those that fail, whether the command said that all is good, what the script said, and
    the last line. The last line is for people and does not count."""

    def __eq__(self, other):
        return self[:4] == other[:4]

    __hash__ = tuple.__hash__


def outcome(result):
    named = lambda word: tuple(sorted(re.findall(r"^%s (\S+)$" % word, result.out, re.M)))
    last = ((result.out + "\n" + result.err).strip().splitlines() or [""])[-1]
    said = re.findall(r"^mark (.*)$", result.out, re.M)
    return Run((named("ok"), named("FAIL"), result.ended == "exit" and result.code == 0, said, last))


def reference(plan, files):
    """The round in surroundings that work, in a sandbox in which no program of the agent has run."""
    judged.reset()
    place = "/tmp/" + word()
    lay(place, files + plan["healthy"], [])
    mark(plan, place)
    found = outcome(judged.run("./run-tests", timeout=LIMIT, cwd=place))
    if not found[0]:
        raise judged.Unavailable("no case is right in surroundings that work: %s" % found[4])
    return found


def theirs(plan, files):
    """The round in the surroundings that the agent left."""
    judged.reset()
    lay("/work", files, plan["roots"])
    mark(plan, "/work")
    return outcome(judged.run("./run-tests", timeout=LIMIT, cwd="/work"))


def alone(plan, files, paths):
    """The round with some files of the agent's among surroundings that work."""
    judged.reset()
    python("set aside", SET_ASIDE, "")
    lay("/work", files + plan["healthy"], [])
    python("put back", PUT_BACK, json.dumps(paths))
    mark(plan, "/work")
    return outcome(judged.run("./run-tests", timeout=LIMIT, cwd="/work"))


def lay(place, files, gone):
    """Writes `[path, text, mode]` below a place, from which some paths are removed before."""
    python("lay files", LAY, json.dumps({"place": place, "files": files, "gone": gone}))


def mark(plan, place):
    """Lays the script that says the drawn words, and adds the lines that it reads."""
    suite = sealed_suite(plan)
    if suite.count(SETTING) != 1 or suite.count(END) != 1:
        raise judged.Unavailable("the script has another form")
    one, two = MARKS["suite"][:6], MARKS["suite"][6:]
    suite = suite.replace(SETTING, SETTING + MORE).replace(END, SAYS % (one, two) + END)
    judged.write("%s/%s" % (place, plan["suite"]), suite)
    python("mark", ADD, json.dumps([["%s/%s" % (place, path), lines % MARKS[path]] for path, lines in ADDED.items()]))


def sealed_suite(plan):
    """The script as it was given."""
    return next(text for path, text, _ in plan["healthy"] if path == plan["suite"])


def python(what, program, given):
    result = judged.run(["python3", "-I", "-c", program], given, timeout=LIMIT, cwd="/tmp")
    if not result.ok:
        raise judged.Refused("%s: %s" % (what, result))


def changed(plan):
    """The first file of the project that is not as it was given."""
    known = {path: text for path, text, _ in plan["files"]}
    for path, text in known.items():
        if judged_bytes(path) != text.encode():
            return "%s is not as it was" % path
    if judged_bytes(plan["suite"]) != sealed_suite(plan).encode():
        return "%s is not as it was" % plan["suite"]
    for root in plan["roots"]:
        for name in judged.tree(root):
            path = os.path.normpath(os.path.join(root, name))
            if path not in known:
                return "%s is new" % path
    return None


def judged_bytes(path):
    try:
        return judged.submitted(path, text=False)
    except judged.Refused:
        return None


def variant(plan, fault):
    """The files of one round: drawn names of the cases, and with a fault also results that no right program has."""
    names = {name: word() for name in plan["cases"]}
    told_by = set(fault["cases"]) if fault else set()
    others = judged.shuffled([name for name in plan["cases"] if name not in told_by])
    twins = set(others[: len(others) // 2]) if fault else set()
    files = []
    for path, text, mode in plan["files"]:
        case, _, part = path[len(plan["below"]):].partition("/") if path.startswith(plan["below"]) else ("", "", "")
        if case:
            text = other_result(text) if case in twins and part == "out" else text
            path = "%s%s/%s" % (plan["below"], names[case], part)
        elif fault and path == fault["file"]:
            whole, (start, end) = text.encode(), fault["at"]
            text = (whole[:start] + fault["text"].encode() + whole[end:]).decode()
        files.append([path, text, mode])
    return judged.shuffled(files)


def other_result(text):
    """A text in which one letter or digit is another one."""
    places = [at for at, letter in enumerate(text) if letter.isascii() and letter.isalnum()]
    if not places:
        return text + word() + "\n"
    at = DRAW.choice(places)
    choice = "0123456789" if text[at].isdigit() else LETTERS
    return text[:at] + DRAW.choice([letter for letter in choice if letter != text[at]]) + text[at + 1:]


def word():
    return "".join(DRAW.choice(LETTERS) for _ in range(12))


#: The drawn words, by the file that has them.
MARKS = {name: word() for name in ("suite", *ADDED)}
try:
    main()
except judged.Unavailable as why:
    print("the judged sandbox is not available: %s" % why)
    os._exit(70)
