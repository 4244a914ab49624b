"""Judges a task of the kind `speed-up`: whether operations are fast, and their results right. Version 1.

Each operation is a workload: `data(size, draw)` makes input, `work(data)` uses the project. The project's
own sources run in the judge's sandbox. They say what the answer is, and how much processor time it takes.
Then the agent's sources do the same work in the judged sandbox. What they say there is the agent's word.
This is why it can be believed:

- The data are drawn anew each time, and the answer is compared here. So the work must be done.
- The kernel ends the process at a limit of processor time, which is set before any code of the agent runs
  and cannot be raised. The limit is ten times what the project's own sources took on this host, and at least
  two seconds. A slow form needs more than twenty times the limit. So neither noise nor a slow host
  changes what comes out.
- The process may not have others: a child begins with no time used. Where the host does not
  count processes, the wall time, which is fifteen times the limit, holds for all of them together.
- Each operation runs over fresh copies at a drawn place in a fresh sandbox, and in a drawn order.

The lines `ok PART` and `not ok PART: why` say what came of each operation.
"""

import json
import math
import os
import random
import subprocess
import sys

import judged
from check import SEALED, submitted

DRAW = random.SystemRandom()
#: The least limit in seconds of processor time, and how many times what the project's own sources take.
LEAST, TIMES = 2, 10
#: How many times the limit the wall time is. A busy host gives processor time late.
WALL = 15

REFERENCE = r'''
import hashlib, json, random, sys, time

given = json.load(sys.stdin)
sys.path.insert(0, given["place"])
workload = {}
exec(compile(given["workload"], "workload", "exec"), workload)
data = json.dumps(workload["data"](given["size"], random.Random(given["seed"])))
began = time.process_time()
answer = json.dumps(workload["work"](json.loads(data)), sort_keys=True)
seconds = time.process_time() - began
digest = hashlib.sha256(answer.encode()).hexdigest()
print(json.dumps({"data": data, "answer": digest, "seconds": seconds}))
'''

DRIVER = r'''
import hashlib, json, resource


def answer(given):
    for kind, most in ((resource.RLIMIT_CPU, given["seconds"]), (resource.RLIMIT_NPROC, 1)):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    workload = {}
    exec(compile(given["workload"], "workload", "exec"), workload)
    said = json.dumps(workload["work"](json.loads(given["data"])), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
'''


def main():
    places = load("speed.json")["places"]
    try:
        sources = submitted(load("pack.json")["source"])
    except judged.Refused as why:
        for name in places:
            refuse(name, why)
        return
    for name in judged.shuffled(sorted(places)):
        try:
            judge(places[name], sources)
            print("ok %s" % name)
        except judged.Refused as why:
            refuse(name, why)


def load(name):
    with open(os.path.join(SEALED, name), encoding="utf-8") as file:
        return json.load(file)


def refuse(name, why):
    print("not ok %s: %s" % (name, str(why).replace("\n", " ")[:300]))


def judge(place, sources):
    """Refused says why an operation is not fast, or not right."""
    with open(os.path.join(SEALED, "workloads", "%s.py" % place["workload"]), encoding="utf-8") as file:
        workload = file.read()
    known = reference(workload, place["size"])
    limit = max(LEAST, math.ceil(TIMES * known["seconds"]))
    judged.reset()
    top = "/tmp/%s" % "".join(DRAW.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10))
    for path, content in sources.items():
        judged.write("%s/%s" % (top, path), content)
    given = {"workload": workload, "data": known["data"], "seconds": limit}
    try:
        said = judged.ask(DRIVER, given, timeout=WALL * limit, cwd="/tmp", path=top)
    except judged.Refused as why:
        raise judged.Refused("the workload %s has no answer within %d s: %s" % (place["workload"], limit, why))
    if said != known["answer"]:
        raise judged.Refused("the workload %s has another result than before" % place["workload"])


def reference(workload, size):
    """What the project's own sources answer, and the processor time that they take."""
    given = {"place": os.path.join(SEALED, "reference"), "workload": workload, "size": size, "seed": DRAW.getrandbits(64)}
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", REFERENCE], input=json.dumps(given), stdout=subprocess.PIPE, text=True,
    )
    if done.returncode != 0:
        raise judged.Unavailable("the project's own sources gave no answer: %d" % done.returncode)
    return json.loads(done.stdout)


if __name__ == "__main__":
    try:
        main()
    except judged.Unavailable as why:
        print("the judged sandbox is not available: %s" % why)
        sys.exit(70)
