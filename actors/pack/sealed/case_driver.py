"""Builds a command-line program and runs cases of it. It knows no expected result: whoever calls it
compares. It runs where the program runs, in the judged sandbox or in the miner's, so nothing that it
says is more than what the program did.

A case is a map: `args` (a list of texts), `in` (the standard input), `files` (path to text). Each runs
in a new directory with its files. Words of the command that name files of the project are taken from there.
"""

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

#: Bytes that a program may write into one file, and bytes of its data.
LARGEST, MEMORY = 16 << 20, 1 << 30
#: What is kept of the output of a case, for messages.
SHOWN = 400
#: How many cases may run out of time. The others are not run then.
HUNG = 3
#: What programs say when they crash, besides dying of a signal.
CRASHES = (b"panicked at", b"goroutine ", b"AddressSanitizer", b"runtime error:", b"\n    at ",
           b"Syntax error: ", b"syntax error near")


def limited(seconds):
    """What a child process does before its program: its limits. What is limited already stays so."""
    wanted = [(resource.RLIMIT_CPU, seconds), (resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_FSIZE, LARGEST),
              (resource.RLIMIT_CORE, 0)]

    def limit():
        for kind, most in wanted:
            hard = resource.getrlimit(kind)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))
    return limit


def environment(home):
    return {"PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "TZ": "UTC", "HOME": home, "TMPDIR": home,
            # Go must not compile its library for each build, nor look for anything elsewhere.
            "GOCACHE": "/tmp/.go-build", "GOTOOLCHAIN": "local", "GOPROXY": "off"}


def run(words, cwd, home, given, seconds):
    """Runs a program to its end. `(ended, code, output, errors)`: ended is "exit", "signal", "hung" or
    "not started"; the code is as the shell has it."""
    with tempfile.TemporaryFile(dir=home) as out, tempfile.TemporaryFile(dir=home) as err, \
            tempfile.TemporaryFile(dir=home) as source:
        source.write(given)
        source.seek(0)
        try:
            child = subprocess.Popen(words, cwd=cwd, env=environment(home), stdin=source, stdout=out, stderr=err,
                                     preexec_fn=limited(seconds), start_new_session=True)
        except OSError as error:
            return "not started", 127, b"", str(error).encode()
        try:
            # Processor time is limited; this ends programs that wait for something.
            code, ended = child.wait(10 + 4 * seconds), "exit"
        except subprocess.TimeoutExpired:
            code, ended = -signal.SIGKILL, "hung"
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except OSError:
                pass
            child.wait()
        if code < 0 and ended == "exit":
            ended = "hung" if -code in (signal.SIGXCPU, signal.SIGKILL) else "signal"
        out.seek(0)
        err.seek(0)
        return ended, code if code >= 0 else 128 - code, out.read(LARGEST), err.read(SHOWN)


def lay(place, files):
    """Writes `(path, text, executable)` below a directory."""
    for path, text, executable in files:
        target = os.path.join(place, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(text.encode())
        os.chmod(target, 0o755 if executable else 0o644)


def built(place, home, words, seconds):
    """Builds the program. None, or what the build says if it fails."""
    if not words:
        return None
    ended, code, out, err = run(words, place, home, b"", seconds)
    if (ended, code) == ("exit", 0):
        return None
    return ("the build ends with %s: %s" % (code if ended == "exit" else ended, (err or out).decode("utf-8", "replace").strip()))[:SHOWN]


def command(place, words):
    """The words of the command; those that name files of the project have their whole path."""
    def whole(word):
        path = os.path.join(place, word)
        return path if os.path.isfile(path) else word
    return [whole(word) for word in words]


def outcome(place, home, words, case, seconds):
    """Runs one case in a directory of its own. `whole` is its output; it stays where the program runs."""
    own = tempfile.mkdtemp(dir=home)
    cwd = os.path.join(own, "place")
    os.mkdir(cwd)
    try:
        lay(cwd, [(path, text, False) for path, text in sorted(case["files"].items())])
        ended, code, out, err = run(words + case["args"], cwd, own, case["in"].encode(), seconds)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return {"ended": ended, "code": code, "whole": out, "err": err.decode("utf-8", "replace"),
            "crash": ended != "exit" or any(mark in err for mark in CRASHES)}


def outcomes(place, home, words, cases, seconds):
    """Runs cases in their order. None stands for one that was not run, because too many have hung. Of an
    output, only the digest is told: it is as good as the output for whoever knows the right one."""
    found, hung = [], 0
    for case in cases:
        result = outcome(place, home, words, case, seconds) if hung < HUNG else None
        if result is not None:
            hung += result["ended"] == "hung"
            digest = hashlib.sha256(result["whole"]).hexdigest()
            result = {"ended": result["ended"], "code": result["code"], "sha256": digest}
        found.append(result)
    return found


def answer(given):
    """Lays the project, builds it, and runs the cases."""
    place = given["place"]
    home = place + ".home"
    os.makedirs(home)
    lay(place, given["files"])
    problem = built(place, home, given["build"], given["build_seconds"])
    if problem is not None:
        return {"problem": problem}
    return {"outcomes": outcomes(place, home, command(place, given["run"]), given["cases"], given["seconds"])}


if __name__ == "__main__":
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    said.write("\n" + json.dumps(answer(json.load(sys.stdin))) + "\n")
    said.flush()
    os._exit(0)
