"""Hinders the judge of exported tasks as a program of the work can: `check_judge.py JUDGE`.

It runs in an empty directory."""

import os
import runpy
import subprocess
import sys
import threading
import types

judge = runpy.run_path(sys.argv[1])

os.mkfifo("pipe")
for operation in ("read", "write"):
    words = [sys.executable, "-c", judge["FILES"], operation, "pipe", "9", "1"]
    done = subprocess.run(words, input=b"x", capture_output=True, timeout=60)
    assert done.returncode == 1, done
words = [sys.executable, "-c", judge["FILES"], "write", "below/file", "0", "1"]
subprocess.run(words, input=b"x", check=True, timeout=60)
assert open("below/file", "rb").read() == b"x"

Judged = judge["Judged"]
judged = Judged.__new__(Judged)
judged.lock, judged.fault, judged.longest = threading.Lock(), None, 1
judged.scratch = types.SimpleNamespace(show=lambda side: None)
# No such operation, a field that is cut off, a length beyond the end, no UTF-8.
for body in (b"\x63", b"\2\0", b"\3\xff\0\0\0", b"\3\1\0\0\0\xff"):
    assert judged._answer(body)[0] == 1, body
assert judged.fault is None, judged.fault

names = judge["unjudged"].__globals__
names["WORK"] = os.path.abspath("below")
assert judge["unjudged"]() is None
with open("below/sparse", "wb") as file:
    file.truncate((64 << 20) + 1)
assert "larger" in judge["unjudged"]()

if os.geteuid() == 0:
    os.mkdir("logs", 0o777)
    os.mkdir("logs/reward.json")
    os.symlink("/nonesuch", "logs/checks.json")
    open("logs/test-stdout.txt", "w").close()
    names["LOGS"] = os.path.abspath("logs")
    judge["clear_logs"]()
    assert os.listdir("logs") == ["test-stdout.txt"], os.listdir("logs")
    assert os.stat("logs").st_mode & 0o777 == 0o755
print("the judge holds")
