"""Judges a task from a pack whose tests are cases of a command-line program. Version 1.

The program of the agent is built and run in the judged sandbox. There are the arguments, the inputs and
the files of the cases, under no names and in a drawn order. What is expected is only here, where what came
out is compared. So nothing there can know what is right, but a program that does it:

- Only the sources are taken from the agent; all else of the project is a sealed copy, at a drawn place.
- The results of the cases that the agent saw are worth nothing: cases that it has not seen count with them.

The lines `ok PART` and `not ok PART: why` say what came of each part of the plan.
"""

import hashlib
import json
import os
import random

import judged

SEALED = os.path.dirname(os.path.abspath(__file__))
DRAW = random.SystemRandom()
#: The most bytes of a source, and of all of them.
LARGEST, ALL = 4 << 20, 12 << 20
#: How many cases one request has, so that the reply fits.
TOGETHER = 400
#: Processor time of a program of the build.
BUILD = 40


def main():
    plan = {}
    for name in ("pack.json", "plan.json"):
        with open(os.path.join(SEALED, name), encoding="utf-8") as file:
            plan.update(json.load(file))
    try:
        results = judge(plan, plan["others"] + submitted(plan["source"]))
    except judged.Refused as why:
        for part in plan["parts"]:
            print("not ok %s: %s" % (part, str(why).replace("\n", " ")[:300]))
        return
    tell(plan, results)


def submitted(roots):
    """The sources that the agent left: regular files below the roots, as `(path, text, executable)`."""
    found = []
    for root in roots:
        is_file = os.path.isfile(os.path.join(judged.SUBMISSION, root))
        names = [root] if is_file else [os.path.join(root, name) for name in judged.tree(root)]
        if not names:
            raise judged.Refused("there is no file below %s" % root)
        for name in names:
            content = judged.submitted(name, text=False)
            if len(content) > LARGEST:
                raise judged.Refused("%s is larger than 4 MiB" % name)
            try:
                found.append([name, content.decode("utf-8"), content.startswith(b"#!")])
            except UnicodeDecodeError:
                # What the build has left beside the sources, such as objects.
                continue
    if sum(len(text) for _, text, _ in found) > ALL:
        raise judged.Refused("the sources are larger than 12 MiB")
    return found


def judge(plan, files):
    """What came of each case: None if it is right, else why not."""
    with open(os.path.join(SEALED, "case_driver.py"), encoding="utf-8") as file:
        driver = file.read()
    order = judged.shuffled(range(len(plan["cases"])))
    results = [None] * len(order)
    for first in range(0, len(order), TOGETHER):
        some = order[first : first + TOGETHER]
        cases = [{key: plan["cases"][at][key] for key in ("args", "in", "files")} for at in some]
        for at, outcome in zip(some, asked(plan, files, driver, cases)):
            results[at] = compared(plan["cases"][at], outcome)
    return results


def asked(plan, files, driver, cases):
    """What the program does with some cases, in a fresh directory."""
    given = {"place": "/tmp/%s" % "".join(DRAW.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10)),
             "files": files, "build": plan["build"], "run": plan["run"], "seconds": plan["seconds"],
             "build_seconds": BUILD, "cases": cases}
    result = judged.run(["python3", "-I", "-B", "-c", driver], json.dumps(given), timeout=240, cwd="/tmp")
    if not result.ok:
        raise judged.Refused("the cases did not end by themselves: %s" % result.ended)
    try:
        said = json.loads(result.out.strip().rpartition("\n")[2])
    except ValueError:
        raise judged.Refused("the cases gave no answer")
    return outcomes_of(said, len(cases))


def outcomes_of(said, count):
    """The outcomes of an answer. The judged side may have said anything."""
    said = said if isinstance(said, dict) else {}
    if isinstance(said.get("problem"), str):
        raise judged.Refused(said["problem"])
    outcomes = said.get("outcomes")
    if not isinstance(outcomes, list) or len(outcomes) != count:
        raise judged.Refused("the cases gave no answer")
    return outcomes


def compared(case, outcome):
    """None if the program did what the case expects, else why not."""
    if not isinstance(outcome, dict):
        return "it was not run: others took too long"
    ended, code = outcome.get("ended"), outcome.get("code")
    if ended == "hung":
        return "it takes too long"
    if code != case["status"]:
        return "exit code %s, not %s" % (str(code)[:20], case["status"])
    expected = case["out"].encode()
    if outcome.get("sha256") != hashlib.sha256(expected).hexdigest():
        return "it prints something else"
    return None


def tell(plan, results):
    """Says of each part which of its cases are wrong. Their names are kept back, too."""
    for part, members in plan["parts"].items():
        failed = [at for at in members if results[at] is not None]
        if failed:
            print("not ok %s: %d of %d cases are wrong, the first: %s" % (part, len(failed), len(members), results[failed[0]]))
        else:
            print("ok %s" % part)


if __name__ == "__main__":
    main()
