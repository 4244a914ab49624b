"""Tries changes of a project whose tests are cases of a program. Version 1.

It runs in a sandbox: the project is in `project/` below the working directory, what is to be done in
`state/`. Each command prints one line of JSON.

    case_miner.py programs    whether the programs that the project needs are there
    case_miner.py try         the trials of state/batch.json

Each trial is a copy of the project with some changes, in a directory of its own. It is built anew, and
the cases run one after the other, each with limits. Nothing of one trial is left for the next.
"""

import json
import os
import shutil
import sys
import tempfile

import case_driver

ROOT = os.path.abspath("project")
STATE = os.path.abspath("state")
#: Processor time of a program of the build.
BUILD = 60


def load(name):
    with open(os.path.join(STATE, name), encoding="utf-8") as file:
        return json.load(file)


def programs(settings):
    missing = [name for name in settings["requires"] if shutil.which(name) is None]
    if missing:
        return {"error": "the sandbox lacks %s" % ", ".join(missing)}
    return {"programs": len(settings["requires"])}


def tries(settings):
    batch = load("batch.json")
    return {"reports": [tried(settings, trial, batch) for trial in batch["trials"]]}


def tried(settings, trial, batch):
    """What came of one trial: how it ended, and the cases that are wrong."""
    top = tempfile.mkdtemp()
    try:
        place = os.path.join(top, "project")
        shutil.copytree(ROOT, place)
        change(place, trial["changes"])
        home = os.path.join(top, "home")
        os.makedirs(home)
        problem = case_driver.built(place, home, settings["build"], BUILD)
        if problem is not None:
            return {"ended": "unbuilt", "why": problem, "failed": []}
        return compared(settings, place, home, trial, batch)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def change(place, changes):
    """Changes files. The places are those of the project's own text, so the last ones come first."""
    for entry in sorted(changes, key=lambda entry: (entry["file"], -entry["at"][0])):
        path = os.path.join(place, entry["file"])
        with open(path, "rb") as file:
            text = file.read()
        start, end = entry["at"]
        with open(path, "wb") as file:
            file.write(text[:start] + entry["text"].encode() + text[end:])


def compared(settings, place, home, trial, batch):
    """Runs the cases of a trial. It stops early if too many are wrong, or if one hangs."""
    words = case_driver.command(place, settings["run"])
    numbers = list(reversed(batch["cases"])) if trial["reversed"] else batch["cases"]
    failed = []
    for number in numbers:
        case = settings["cases"][number]
        result = case_driver.outcome(place, home, words, case, settings["seconds"])
        says = wrong(case, result, place)
        if says is None:
            continue
        failed.append({"case": number, "crash": result["crash"], "says": says})
        if result["ended"] == "hung" and batch["stops"]:
            return {"ended": "hung", "why": says, "failed": []}
        if len(failed) > batch["most"]:
            return {"ended": "broad", "why": "more than half of the cases are wrong", "failed": []}
    failed.sort(key=lambda entry: entry["case"])
    return {"ended": "done", "why": "", "failed": failed}


def wrong(case, result, place):
    """What is wrong with what the program did, on one line; None if it is right."""
    if result["ended"] == "hung":
        return "it takes too long"
    found, expected = result["code"], case["status"]
    if result["ended"] == "signal":
        return "signal %d ends it" % (found - 128)
    is_same = case["out"].encode() == result["whole"]
    if is_same and found == expected:
        return None
    parts = [] if found == expected else ["the exit code is %d" % found]
    if not is_same:
        parts.append(differing(case["out"], result["whole"].decode("utf-8", "replace")))
    last = result["err"].strip().rpartition("\n")[2]
    if found != expected and last:
        parts.append("it says: %s" % last.replace(place + "/", "")[:200])
    return "; ".join(parts)


def differing(expected, found):
    """The first line that is not what it should be."""
    right, lines = expected.split("\n"), found.split("\n")
    for number, line in enumerate(lines):
        is_end = number == len(lines) - 1 and line == ""
        if not is_end and (number >= len(right) or right[number] != line):
            return "line %d of what it prints is `%s`" % (number + 1, line[:200])
    return "it prints nothing" if not found else "it prints only %d bytes" % len(found.encode())


STEPS = {"programs": programs, "try": tries}


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    answer = STEPS[sys.argv[1]](load("settings.json"))
    print("\n" + json.dumps(answer), flush=True)
