"""Tries the candidates of the miner's state, each in a process of Python's own test runner over changed files.

    mutants.py all         every test runs
    mutants.py covering    only the tests that run the changed line

It runs beside `project/` and `state/`, as the miner does, and has the miner's rules: a candidate is valid if it
breaks some tests and at most half of them. A process gets ten times the processor time that its tests take.
Prints one line of JSON, with the processor time of the processes of candidates.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys

#: Bytes of memory of one process, as the miner has it.
MEMORY = 1 << 30


def load(name):
    with open(os.path.join("state", name), encoding="utf-8") as file:
        return json.load(file)


def run(arguments, limit):
    """What a run of the test runner says; None if it was ended for its time."""

    def limits():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        # A timer outlives the start of another program.
        signal.setitimer(signal.ITIMER_PROF, limit)

    command = [sys.executable, "-B", "-m", "unittest", *arguments]
    try:
        done = subprocess.run(
            command, cwd="peer", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            timeout=60 + 20 * limit, preexec_fn=limits,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stderr.decode("utf-8", "replace") if done.returncode in (0, 1) else None


def used():
    """The processor time of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def unchanged(arguments):
    """The processor time of a run over the unchanged project."""
    before = used()
    said = run(arguments, 600)
    if said is None or "\nOK" not in said:
        sys.exit("the tests of the unchanged project do not pass: %s" % said)
    return used() - before


def is_valid(said, tests):
    if said is None or "Failed to import" in said or "skipped=" in said:
        return False
    failed = sum(int(count) for count in re.findall(r"(?:failures|errors)=(\d+)", said))
    return 0 < failed <= tests / 2


def main():
    tests, known = load("map.json"), load("tests.json")
    times = {test["test"]: test["seconds"] for test in tests}
    shutil.rmtree("peer", ignore_errors=True)
    shutil.copytree("project", "peer")
    # One test tells what a start costs.
    start, whole = unchanged([tests[0]["test"]]), unchanged(known["modules"])
    valid, candidates, before = 0, load("candidates.json"), used()
    for change in candidates:
        path = os.path.join("peer", change["file"])
        with open(path, "rb") as file:
            source = file.read()
        with open(path, "wb") as file:
            file.write(source[: change["at"][0]] + change["text"].encode() + source[change["at"][1] :])
        if sys.argv[1] == "all":
            said = run(known["modules"], 10 * whole)
        else:
            said = run(change["wanted"], 10 * (start + sum(times[test] for test in change["wanted"])))
        valid += is_valid(said, len(tests))
        with open(path, "wb") as file:
            file.write(source)
    print(json.dumps({"valid": valid, "tried": len(candidates), "seconds": used() - before}))


main()
