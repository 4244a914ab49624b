"""Judges cases that the agent wrote for a command-line program. Version 1.

A case is data: arguments, input, files, and what is right. No code of the agent's runs here. But it chooses what the
program reads, so a program must be known by what it does and by nothing else:

- Only cases under the asked names are taken, as regular files within bounds. `/work` is emptied before anything runs.
- The judge builds every program of sealed sources, with the right text of a place or with a wrong one. It runs each at
  two drawn places, with other homes, another variable and the cases in another order. Right programs are built several
  times. So cases that pass or fail by chance, by place or by surroundings are found out.
- Nobody knows a program by its text: compiled programs lose their sources and get drawn bytes at their end; sources
  that stay have the right text and all wrong ones around them, where they do nothing, in a drawn order.
- No argument leads out of the directory of a case, and no case names what the system says of processes.

The lines `ok PART` and `not ok PART: why` say what came of each part of the plan.
"""

import hashlib
import json
import os
import random
import re

import judged

SEALED = os.path.dirname(os.path.abspath(__file__))
DRAW = random.SystemRandom()
#: The part for right programs. All others are faults in one function each.
ACCEPTS = "accepts"
#: Where cases are.
CASES = "tests/cases"
#: The parts of a case beside its files.
PARTS = ("cmd", "in", "out", "status", "err")
#: How often the right program is built. Each build runs twice.
RIGHT = 3
#: So many builds share a sandbox.
SHARED = 8
#: Seconds of processor time of a program of the build, and of all that one request does on the clock.
BUILD, CLOCK = 40, 240
#: A wrong program may take so many times what a right one may. So a slow case tells nothing by chance.
PATIENCE = 1.5
#: Languages whose programs need no sources once they are built.
COMPILED = ("c", "go", "rust")
#: Shells skip a text like this.
SKIPPED = "if false; then : <<'%s'\n%s%s\nfi\n"

#: Builds one program, and runs the cases at each place. What it says is what the program did.
WORK = r'''
import hashlib, json, os, shutil, sys
given = json.load(sys.stdin)
said = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
driver = {"__name__": "driver"}
exec(given["driver"], driver)
usual = driver["environment"]

def used():
    times = os.times()
    return times.children_user + times.children_system

def ended(words, tail):
    """Gives compiled programs another end."""
    for word in words:
        if word.startswith(place + "/"):
            with open(word, "r+b") as file:
                if file.read(4) == b"\x7fELF":
                    file.seek(0, 2)
                    file.write(tail.encode())

def differing(run):
    """The first case that is not as it should be. None if all are."""
    home = place + ".home"
    os.makedirs(home)
    driver["environment"] = lambda own: dict(usual(own), **run["variables"])
    words, start = driver["command"](place, given["run"]), used()
    ended(words, run["tail"])
    for at in run["order"]:
        case = given["cases"][at]
        did = driver["outcome"](place, home, words, case, given["seconds"])
        if did["ended"] == "hung" or used() - start > given["all_seconds"]:
            return {"at": at, "is_slow": True}
        if (did["code"], hashlib.sha256(did["whole"]).hexdigest()) != (case["status"], case["sha256"]):
            return {"at": at, "code": did["code"]}

def answer():
    global place
    place = given["runs"][0]["place"]
    driver["lay"](place, given["files"])
    os.makedirs(place + ".build")
    problem = driver["built"](place, place + ".build", given["build"], given["build_seconds"])
    if problem is not None:
        return {"problem": problem}
    for path in given["gone"]:
        os.remove(os.path.join(place, path))
    results = []
    for run in given["runs"]:
        os.rename(place, run["place"])
        place = run["place"]
        results.append(differing(run))
        # One run decides: a right program has failed, or a wrong one was not noticed.
        if (results[-1] is None) == given["is_wrong"]:
            break
    shutil.rmtree(place, ignore_errors=True)
    return {"results": results}

said.write("\n" + json.dumps(answer()) + "\n")
said.flush()
os._exit(0)
'''


def checks(plan):
    tell(plan, tried(plan, RIGHT, plan["faults"], 2))


def milestones(plan):
    """Little, so that it is soon told. Milestones decide nothing, so each program runs once."""
    few = [fault for at, fault in enumerate(plan["faults"]) if same_part(plan, fault, at) < 2]
    tell(plan, tried(plan, 1, few, 1))


def same_part(plan, fault, at):
    """How many faults of the same part come before this one."""
    return sum(other["part"] == fault["part"] for other in plan["faults"][:at])


def tried(plan, rights, faults, runs):
    """What is wrong: `{part: [why, ...]}`. A right program comes first."""
    found = {part: [] for part in plan["parts"]}
    try:
        judge = Judge(plan, written(plan), runs)
        found[ACCEPTS] = judge.refusals()
        for fault in judged.shuffled([None] * (rights - 1) + faults):
            if found[ACCEPTS]:
                break
            if fault is None:
                found[ACCEPTS] = judge.refusals()
            elif not judge.notices(fault):
                found[fault["part"]].append(fault["id"])
    except judged.Refused as why:
        found[ACCEPTS] = [str(why)]
    return found


def written(plan):
    """The cases that the agent left, as the driver has them, with their names."""
    below = "%s/%s" % (CASES, plan["prefix"])
    for line in left_out():
        if line.startswith(below):
            raise judged.Refused("%s: only regular files are cases" % line)
    parts = {}
    for path in judged.tree(CASES):
        name, _, part = path.partition("/")
        if name.startswith(plan["prefix"]):
            parts.setdefault(name, []).append(part)
    if len(parts) > plan["most"]:
        raise judged.Refused("there are %d cases, and %d are allowed" % (len(parts), plan["most"]))
    left, cases = plan["bytes"], []
    for name, paths in sorted(parts.items()):
        texts = {}
        for part in paths:
            texts[part] = text_of(name, part, left)
            # A path counts too, so that there are not many empty files.
            left -= len(texts[part].encode()) + len(part.encode("utf-8", "replace"))
        cases.append(case_of(plan, name, texts))
    different = {json.dumps([case["args"], case["in"], case["files"]], sort_keys=True) for case in cases}
    if len(different) < plan["least"]:
        raise judged.Refused("there are %d different cases below %s*, not %d" % (len(different), below, plan["least"]))
    return cases


def left_out():
    """What the agent left that is no regular file, a line each."""
    try:
        with open(judged.LEFT_OUT, encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in file]
    except OSError:
        return []


def text_of(name, part, left):
    """The text of a part of a case, of which `left` bytes are allowed."""
    place = "%s/%s/%s" % (CASES, name, part)
    content = judged.submitted(place, text=False)
    if len(content) > left:
        raise judged.Refused("the cases are too large together: %s does not fit" % place)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise judged.Refused("%s is no text in UTF-8" % place)


def case_of(plan, name, texts):
    """A case from its texts. Refused says what is wrong with it."""
    def refuse(why):
        raise judged.Refused("the case %s %s" % (name, why))
    if not re.fullmatch("[A-Za-z0-9_-]+", name):
        refuse("has a name with other than letters, digits, `-` and `_`")
    for part in texts:
        if part not in PARTS and not part.startswith("files/"):
            refuse("has a part that no case has: %s" % (part or "it is no directory"))
    if "out" not in texts:
        refuse("has no file `out`")
    status = texts.get("status", "0").strip()
    if not re.fullmatch("[0-9]{1,3}", status) or int(status) > 255:
        refuse("has no exit code from 0 to 255 in `status`")
    args = words(texts.get("cmd", ""))
    files = {part[len("files/"):]: text for part, text in texts.items() if part.startswith("files/")}
    for arg in args:
        if "\0" in arg or arg.startswith("/") or ".." in arg.split("/"):
            refuse("has an argument that leads out of its directory")
    for text in args + [texts.get("in", "")] + list(files) + list(files.values()):
        for word in plan["refused"]:
            if word in text:
                refuse("names `%s`" % word)
    return {"name": name, "args": args, "in": texts.get("in", ""), "files": files, "status": int(status),
            "sha256": hashlib.sha256(texts["out"].encode()).hexdigest()}


def words(text):
    """The lines of a text. An empty text has none."""
    return (text[:-1] if text.endswith("\n") else text).split("\n") if text else []


class Judge:
    """The cases, and the project whose program runs over them."""

    def __init__(self, plan, cases, runs):
        self.plan, self.cases, self.runs = plan, cases, runs
        with open(os.path.join(SEALED, "project.json"), encoding="utf-8") as file:
            self.files = json.load(file)
        with open(os.path.join(SEALED, "case_driver.py"), encoding="utf-8") as file:
            self.driver = file.read()
        self.wrong = {}
        for fault in plan["faults"]:
            self.wrong.setdefault(fault["file"], {})[fault["id"]] = self.mutant(fault)
        self.since = SHARED

    def text(self, path):
        return next(text for name, text, _ in self.files if name == path)

    def mutant(self, fault):
        """The source with a fault. Its places are bytes."""
        text, (start, end) = self.text(fault["file"]).encode(), fault["at"]
        return (text[:start] + fault["text"].encode() + text[end:]).decode()

    def sources(self, fault):
        """The files of the project, with a fault or right. Those that stay readable are covered."""
        found = []
        for path, text, executable in self.files:
            wrong = self.wrong.get(path, {})
            live = wrong[fault["id"]] if fault and fault["file"] == path else text
            if wrong and self.plan["language"] not in COMPILED:
                live = covered(self.plan["language"], live, [text, *wrong.values()])
            found.append([path, live, executable])
        return found

    def given(self, fault):
        """What the judged sandbox is told. The first run is where the program is built."""
        patience = PATIENCE if fault else 1
        order = list(range(len(self.cases)))
        run = lambda: {"place": "/tmp/" + letters(8, 16), "order": judged.shuffled(order), "tail": letters(1, 200),
                       "variables": {letters(4, 9).upper(): letters(1, 90)}}
        plan = self.plan
        gone = plan["gone"] if plan["language"] in COMPILED else []
        return {"driver": self.driver, "files": self.sources(fault), "build": plan["build"], "build_seconds": BUILD,
                "run": plan["run"], "gone": gone, "runs": [run() for _ in range(self.runs)], "cases": self.cases,
                "seconds": int(plan["seconds"] * patience), "all_seconds": plan["all_seconds"] * patience,
                "is_wrong": fault is not None}

    def begin(self):
        """A fresh sandbox after some builds, in which nothing is but what is sent there."""
        self.since += 1
        if self.since < SHARED:
            return
        self.since = 0
        judged.reset()
        judged.run("chmod -R u+rwX /work; find /work -mindepth 1 -delete", cwd="/tmp")
        if judged.listed("/work"):
            raise judged.Refused("the workspace cannot be emptied")

    def results(self, fault):
        """The first case that is wrong, of each run. None if there was no answer. A host that stalls once says nothing."""
        for _ in range(2):
            self.begin()
            given = json.dumps(self.given(fault))
            result = judged.run(["python3", "-I", "-B", "-c", WORK], given, timeout=CLOCK, cwd="/tmp")
            try:
                said = json.loads(result.out.strip().rpartition("\n")[2])
            except ValueError:
                self.since = SHARED
                continue
            if "problem" in said:
                # The sources are sealed and were built before: that is no work of the agent's.
                raise judged.Unavailable("the project is not built: %s" % said["problem"])
            return said["results"]
        return None

    def refusals(self):
        """Why the right program does not pass."""
        results = self.results(None)
        if results is None:
            return ["with the right program, the cases do not end"]
        wrong = [(at, result) for at, result in enumerate(results) if result is not None]
        if not wrong:
            return []
        at, result = wrong[0]
        name = self.cases[result["at"]]["name"]
        again = " when it runs again elsewhere" if at else ""
        if result.get("is_slow"):
            return ["with the right program, the case %s takes too long%s" % (name, again)]
        status = self.cases[result["at"]]["status"]
        if result["code"] != status:
            return ["with the right program, the case %s has exit code %d, not %d%s" % (name, result["code"], status, again)]
        return ["with the right program, the case %s prints something else%s" % (name, again)]

    def notices(self, fault):
        """Whether a case fails for a wrong program, each time that it runs."""
        results = self.results(fault)
        return results is not None and None not in results


def letters(least, most):
    """A drawn word."""
    return "".join(DRAW.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(DRAW.randint(least, most)))


def covered(language, live, texts):
    """A source around which stand all texts that it may have, once or twice, where they do nothing."""
    around = judged.shuffled([text for text in texts for _ in range(DRAW.randint(1, 2))])
    cut = DRAW.randint(0, len(around))
    first, rest = "", live
    if live.startswith("#!"):
        first, _, rest = live.partition("\n")
        first += "\n"
    before = "".join(skipped(language, text) for text in around[:cut])
    after = "".join(commented(language, text) for text in around[cut:])
    return first + before + rest + ("" if rest.endswith("\n") else "\n") + after


def skipped(language, text):
    """A text at the start of a source that does nothing."""
    if language != "shell":
        return commented(language, text)
    mark = letters(12, 12)
    return SKIPPED % (mark, text if text.endswith("\n") else text + "\n", mark)


def commented(language, text):
    """A text at the end of a source that does nothing. In a shell, it must leave the exit code as it is."""
    if language == "shell":
        return "".join("# %s\n" % line for line in text.splitlines())
    return "/*\n%s\n*/\n" % text.replace("*/", "* /")


def tell(plan, found):
    """Says what came of each part. To notice everything is no merit: without a right program that passes, no part does."""
    for part in plan["parts"]:
        if found[ACCEPTS] and part == ACCEPTS:
            print("not ok %s: %s" % (part, printable(found[ACCEPTS][0])[:600]))
        elif found[ACCEPTS]:
            print("not ok %s: the right program does not pass, so nothing counts as noticed" % part)
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


if __name__ == "__main__":
    judged.main({"checks": lambda: with_plan(checks), "milestones": lambda: with_plan(milestones)})
