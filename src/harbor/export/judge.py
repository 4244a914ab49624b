"""Judges the work in /work and writes /logs/verifier/reward.txt, or no reward if it cannot judge.

It does what synthd does with two sandboxes in one container, with two users: programs of the work
run as the agent's user, checks as another one. A check reaches the work as data below
/sealed/submission, and as programs through a port of the loopback, as in synthd. Before each check
no program of either user runs, and the work is as the agent has left it. Each side has a /tmp of its
own, which is there while the other side waits.

The plan is /tests/checks.json. All of this runs as root.
"""

import json
import os
import re
import selectors
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

WORK, SEALED, TESTS = "/work", "/sealed", "/tests"
LOGS = os.environ.get("SYNTHD_VERIFIER_LOGS", "/logs/verifier")
AGENT, JUDGE = 1000, 1001
AGENT_HOME, JUDGE_HOME = "/home/agent", "/home/judge"
SUBMISSION, LEFT_OUT = SEALED + "/submission", SEALED + "/submission.left-out"
SHELL = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OUTPUT_KEPT, CHECK_OUTPUT = 1 << 20, 32 << 10
MAX_FILE, MAX_REQUEST, MAX_ENTRIES = 16 << 20, (16 << 20) + (64 << 10), 10_000
MAX_DEPTH, MAX_WORK = 256, 64 << 20
# What is there of a judgement in the logs. A reward.json would go before a reward.txt.
JUDGEMENT = ("reward.json", "reward.txt", "checks.json")
# What git obeys in a repository's own directory.
SETTINGS = ("config", "config.worktree", "hooks", "modules", "worktrees", "commondir", "gitdir")
DEEPER_SETTINGS = ("info/attributes", "objects/info/alternates", "objects/info/http-alternates")
RUN, READ, WRITE, LIST, RESET = 1, 2, 3, 4, 5

# Reads, writes and lists with the rights of the agent's user, so that no link leads further.
FILES = r"""
import os, stat, struct, sys
operation, path, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
out = sys.stdout.buffer
try:
    def opened(path, flags):
        # A FIFO would hold its opener.
        file = os.open(path, flags | os.O_NONBLOCK, 0o666)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            sys.exit("%s is no regular file" % path)
        return file
    if operation == "read":
        with open(opened(path, os.O_RDONLY), "rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            sys.exit("%s is larger than %d bytes" % (path, most))
        out.write(content)
    elif operation == "write":
        os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
        with open(opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(sys.stdin.buffer.read())
    else:
        top, found, left = os.fsencode(path), [], 0
        if not os.path.isdir(top):
            sys.exit("%s is no directory" % path)
        def below(directory, depth):
            global left
            for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
                info = entry.stat(follow_symlinks=False)
                kinds = ((stat.S_ISREG, 0), (stat.S_ISDIR, 1), (stat.S_ISLNK, 2))
                kind = next((number for is_it, number in kinds if is_it(info.st_mode)), 3)
                if len(found) == most:
                    left += 1
                    continue
                name = os.path.relpath(entry.path, top)
                found.append(struct.pack("<BQI", kind, info.st_size, len(name)) + name)
                if kind == 1 and depth > 1:
                    below(entry.path, depth - 1)
        below(top, int(sys.argv[4]))
        out.write(struct.pack("<QI", left, len(found)) + b"".join(found))
    out.flush()
except (OSError, ValueError) as error:
    sys.exit(str(error))
"""


def processes_of(users):
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/status" % name) as file:
                status = file.read()
        except OSError:
            continue
        owner = re.search(r"^Uid:\s+(\d+)\s+(\d+)", status, re.M)
        is_dead = re.search(r"^State:\s+[ZX]", status, re.M)
        if owner and not is_dead and {int(owner[1]), int(owner[2])} & set(users):
            yield int(name)


def end_processes(*users):
    """Ends every process of these users. What does not end makes the judgement void."""
    until = time.monotonic() + 10
    while True:
        running = list(processes_of(users))
        if not running:
            return
        if time.monotonic() > until:
            raise RuntimeError("a process of the agent does not end: %s" % running)
        for process in running:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def removed(entry):
    if entry.is_dir(follow_symlinks=False):
        # However deep it is.
        subprocess.run(["rm", "-rf", "--", entry.path], check=True, stdout=sys.stderr)
    else:
        os.unlink(entry.path)


def emptied(directory, owner, mode):
    """The directory, empty, with this owner and mode. A mount stays."""
    os.makedirs(directory, exist_ok=True)
    for entry in os.scandir(directory):
        removed(entry)
    os.chown(directory, owner, owner)
    os.chmod(directory, mode)


def copied(source, target):
    """Copies what is in a directory, with owners, modes, links and special files."""
    subprocess.run(["cp", "-a", source + "/.", target], check=True, stdout=sys.stderr)


class Entries:
    """The work as it was copied: {path: (kind, target of a link)}, and what has no path in UTF-8 or
    is no file, directory or link."""

    def __init__(self, top):
        self.top, self.found, self.skipped = top, {}, 0
        self._read(top, "")
        self.repositories = {os.path.dirname(path) for path in self.found
                             if os.path.basename(path) == "HEAD"}

    def _read(self, directory, above):
        for entry in sorted(os.scandir(directory), key=lambda entry: os.fsencode(entry.name)):
            path = above + entry.name
            try:
                path.encode("utf-8")
            except UnicodeEncodeError:
                self.skipped += 1
                continue
            if entry.is_symlink():
                target = os.fsencode(os.readlink(entry.path)).decode("utf-8", "replace")
                self.found[path] = ("link", target)
            elif entry.is_dir():
                self.found[path] = ("directory", None)
                self._read(entry.path, path + "/")
            elif entry.is_file():
                self.found[path] = ("file", None)
            else:
                self.skipped += 1

    def setting(self, path, kind):
        """The path of the setting of git that an entry is, or is below of."""
        if kind == "file" and os.path.basename(path) == ".git":
            return path
        parts = path.split("/")
        for count in range(len(parts)):
            above = "/".join(parts[:count])
            below = "/".join(parts[count:])
            if os.path.basename(above) != ".git" and above not in self.repositories:
                continue
            if below in DEEPER_SETTINGS:
                return path
            if parts[count] in SETTINGS:
                return "/".join(parts[:count + 1])
        return None

    def lay_submission(self):
        """Lays files and directories as data, and the list of what is left out."""
        os.makedirs(SUBMISSION, 0o755)
        lines = []
        for path, (kind, target) in self.found.items():
            setting = self.setting(path, kind)
            place = os.path.join(SUBMISSION, path)
            if kind == "link":
                lines.append("%s -> %s" % (path, target[:256]))
            elif setting == path:
                lines.append("%s: a setting of git" % path)
            elif setting is None and kind == "directory":
                os.makedirs(place, exist_ok=True)
            elif setting is None:
                shutil.copyfile(os.path.join(self.top, path), place)
                os.chmod(place, 0o444)
        if self.skipped:
            lines.append("%d other entries: FIFOs, sockets, devices, odd names" % self.skipped)
        with open(LEFT_OUT, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(line.replace("\n", "\\n") + "\n" for line in lines)

    def content(self, path, most):
        with open(os.path.join(self.top, path), "rb") as file:
            return file.read(most)


def pattern(glob):
    """A glob over paths as a regular expression over bytes: `*` and `?` stop at a slash, `**` does
    not, and `**/` stands for no directory as well."""
    glob, parts, at, begins = glob.encode(), [], 0, True
    while at < len(glob):
        if begins and glob.startswith(b"**/", at):
            parts.append(rb"(?:.*/)?")
            at += 3
            continue
        if glob.startswith(b"**", at):
            parts.append(rb".*")
            at, begins = at + 2, False
            continue
        byte = glob[at:at + 1]
        parts.append({b"*": rb"[^/]*", b"?": rb"[^/]"}.get(byte, re.escape(byte)))
        at, begins = at + 1, byte == b"/"
    return re.compile(b"".join(parts), re.S)


def matches(globs, path):
    return any(pattern(glob).fullmatch(path.encode()) for glob in globs)


def same(entries, path, expected, any_newline):
    """What is wrong with a file that must have this content; none if nothing is."""
    kind = entries.found.get(path, ("nothing", None))[0]
    if kind != "file":
        return "expected the file %s, found %s" % (path, kind)
    found = entries.content(path, len(expected) + 4096)
    if any_newline:
        expected, found = (text[:-1] if text.endswith(b"\n") else text for text in (expected, found))
    return None if found == expected else "%s is not as expected" % path


def compared(plan, entries, compare):
    """What is wrong with a comparison; none if it holds."""
    (kind, value), = compare.items()
    if kind == "same":
        sealed = next(file for file in plan["sealed"] if file["path"] == value["sealed"])
        any_newline = value.get("trailing_newline") == "any"
        return same(entries, value["path"], sealed["content"].encode(), any_newline)
    if kind == "present":
        files = [path for path, (kind, _) in entries.found.items() if kind == "file"]
        missing = [glob for glob in value if not any(matches([glob], path) for path in files)]
        return "expected a file at %s, found none" % missing[0] if missing else None
    if entries.skipped:
        return "there are entries that are no files, directories or links"
    found = [path for path in entries.found if matches(value, path)]
    if kind == "absent":
        return "expected nothing at %s, found %s" % (value, found[0]) if found else None
    given = {file["path"]: file["content"].encode() for file in plan["given"]
             if matches(value, file["path"])}
    for path, content in given.items():
        wrong = same(entries, path, content, False)
        if wrong:
            return "a file was changed: %s" % wrong
    new = [path for path in found if entries.found[path][0] != "directory" and path not in given]
    return "expected no new file, found %s" % new[0] if new else None


def environment(user, home, **more):
    return {"PATH": PATHS, "HOME": home, "USER": user, "LOGNAME": user, "LANG": "C.UTF-8",
            "TZ": "UTC", "TERM": "dumb", **more}


def perform(command, user, directory, variables, timeout, kept, stdin=None, umask=0o022):
    """Runs a line of the shell. Returns how it ended (exit, signal or timeout), its code, and each
    stream as its first bytes and its true length. It ends when the shell does, whoever else holds
    its pipes."""
    with tempfile.TemporaryFile() as given:
        given.write(stdin or b"")
        given.seek(0)
        try:
            child = subprocess.Popen(
                [SHELL, "-c", command], stdin=given, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, cwd=directory, env=variables, user=user, group=user,
                extra_groups=[], umask=umask, start_new_session=True, bufsize=0)
        except (OSError, subprocess.SubprocessError) as error:
            return "exit", 126, (b"", 0), (str(error).encode(), len(str(error).encode()))
    outputs = {child.stdout: [bytearray(), 0], child.stderr: [bytearray(), 0]}
    until, ended = time.monotonic() + timeout, None
    with selectors.DefaultSelector() as selector:
        for stream in outputs:
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ)
        while True:
            is_over = child.poll() is not None
            ready = selector.select(0 if is_over else 0.02) if selector.get_map() else []
            if not selector.get_map() and not is_over:
                time.sleep(0.005)
            for key, _ in ready:
                part = key.fileobj.read(1 << 16)
                if not part:
                    selector.unregister(key.fileobj)
                    continue
                output = outputs[key.fileobj]
                output[0] += part[:max(0, kept - len(output[0]))]
                output[1] += len(part)
            if is_over and not ready:
                break
            if not is_over and time.monotonic() > until:
                ended = "timeout"
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                break
    for stream in outputs:
        stream.close()
    code = child.returncode
    ended = ended or ("exit" if code >= 0 else "signal")
    streams = [(bytes(output[0]), output[1]) for output in outputs.values()]
    return ended, code if code >= 0 else 128 - code, streams[0], streams[1]


class Request:
    """Takes the fields of a request from its front."""

    def __init__(self, body):
        self.body, self.at = body, 0

    def number(self, form):
        (value,) = struct.unpack_from(form, self.body, self.at)
        self.at += struct.calcsize(form)
        return value

    def bytes(self):
        size = self.number("<I")
        value = self.body[self.at:self.at + size]
        if len(value) < size:
            raise ValueError("a field beyond the end of the request")
        self.at += size
        return value

    def text(self):
        return self.bytes().decode("utf-8")


def packed(content):
    return struct.pack("<I", len(content)) + content


class Refused(Exception):
    """What was asked for cannot be had."""


class Scratch:
    """The two contents of /tmp: that of the check, and that of the judged programs."""

    KEPT = {"judge": "/tmp/.judge", "agent": "/tmp/.agent"}

    def __init__(self):
        self.side = "judge"

    def empty(self):
        emptied("/tmp", 0, 0o1777)
        for kept in self.KEPT.values():
            os.mkdir(kept, 0o700)
        self.side = "judge"

    def entries(self):
        return [entry for entry in os.scandir("/tmp") if entry.path not in self.KEPT.values()]

    def show(self, side):
        if side == self.side:
            return
        for entry in self.entries():
            os.rename(entry.path, os.path.join(self.KEPT[self.side], entry.name))
        for entry in os.scandir(self.KEPT[side]):
            os.rename(entry.path, os.path.join("/tmp", entry.name))
        self.side = side


class Judged:
    """Serves the requests of checks on a port of the loopback, one at a time."""

    def __init__(self, copy, longest):
        self.copy, self.longest, self.scratch = copy, longest, Scratch()
        self.lock, self.is_fresh, self.fault = threading.Lock(), True, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self):
        """Before a check: only the work is there, as the agent left it, and nothing runs."""
        with self.lock:
            end_processes(AGENT)
            self.scratch.empty()
            self._fresh()

    def _fresh(self):
        """What judged programs find, without the files of the check."""
        end_processes(AGENT)
        for directory in (WORK, AGENT_HOME):
            emptied(directory, AGENT, 0o755)
        if self.scratch.side == "agent":
            for entry in self.scratch.entries():
                removed(entry)
        copied(self.copy, WORK)

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            while True:
                head = stream.read(4)
                if len(head) < 4:
                    return
                size, = struct.unpack("<I", head)
                body = stream.read(size) if 0 < size <= MAX_REQUEST else b""
                if len(body) < max(size, 1):
                    return
                reply = self._answer(body)
                try:
                    connection.sendall(packed(reply))
                except OSError:
                    return

    def _answer(self, body):
        try:
            with self.lock:
                self.scratch.show("agent")
                try:
                    return b"\0" + self._perform(body[0], Request(body[1:]))
                finally:
                    self.scratch.show("judge")
        except (Refused, ValueError, struct.error) as why:
            # Any program of the work can send a request that is none.
            return b"\1" + packed(str(why).encode("utf-8", "replace"))
        except Exception as fault:
            self.fault = self.fault or fault
            return b"\2" + packed(str(fault).encode("utf-8", "replace"))

    def _perform(self, operation, fields):
        if operation == RUN:
            timeout = min(fields.number("<Q") / 1000, self.longest)
            directory, stdin, line = fields.text(), fields.bytes(), fields.text()
            if not os.path.isdir(directory):
                return self._ran("exit", 126, (b"", 0), (b"no such directory", 17))
            variables = environment("agent", AGENT_HOME)
            return self._ran(*perform(line, AGENT, directory, variables, timeout, OUTPUT_KEPT,
                                      stdin))
        if operation == READ:
            most, path = fields.number("<Q"), fields.text()
            return packed(self._files("read", path, min(most, MAX_FILE)))
        if operation == WRITE:
            path = fields.text()
            self._files("write", path, 0, stdin=fields.bytes())
            return b""
        if operation == LIST:
            depth, path = fields.number("<I"), fields.text()
            return self._files("list", path, MAX_ENTRIES, depth)
        if operation == RESET:
            self._fresh()
            return b""
        raise Refused("an unknown operation")

    @staticmethod
    def _ran(ended, code, out, err):
        end = ("exit", "signal", "timeout").index(ended)
        reply = struct.pack("<Bi", end, code)
        return reply + b"".join(packed(part) + struct.pack("<Q", total) for part, total in (out, err))

    @staticmethod
    def _files(operation, path, most, depth=1, stdin=b""):
        words = [sys.executable, "-I", "-B", "-c", FILES, operation, path, str(most), str(depth)]
        try:
            done = subprocess.run(words, input=stdin, capture_output=True, user=AGENT, group=AGENT,
                                  extra_groups=[], cwd="/", env=environment("agent", AGENT_HOME),
                                  timeout=60)
        except subprocess.TimeoutExpired as late:
            # A program of the work can stop it: both have one user.
            raise Refused("%s %s takes too long" % (operation, path)) from late
        if done.returncode:
            raise Refused(done.stderr.decode("utf-8", "replace").strip())
        return done.stdout


def lay_sealed(plan, entries, owner):
    """Lays everything of the checks. Only their user may read it."""
    emptied(SEALED, owner, 0o700)
    for file in plan["sealed"]:
        place = os.path.join(SEALED, file["path"])
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8", newline="") as out:
            out.write(file["content"])
        os.chmod(place, file["mode"])
    if plan["judge"] == "apart":
        entries.lay_submission()
        os.makedirs(SEALED + "/lib", exist_ok=True)
        shutil.copyfile(TESTS + "/judged", SEALED + "/lib/judged")
        os.chmod(SEALED + "/lib/judged", 0o555)
    for directory, names, files in os.walk(SEALED):
        for name in names + files:
            os.lchown(os.path.join(directory, name), owner, owner)


class Checks:
    """Runs the commands of checks, each once, and decides the checks."""

    def __init__(self, plan, copy):
        self.plan, self.entries = plan, Entries(copy)
        self.is_apart = plan["judge"] == "apart"
        self.judged = Judged(copy, plan["timeout"]) if self.is_apart else None
        self.ran = {}

    def result(self, check):
        """Whether a check passed, and what it said."""
        if check.get("compare"):
            wrong = compared(self.plan, self.entries, check["compare"])
            return wrong is None, wrong or ""
        part = check.get("part")
        key = check["run"] if part is not None else (check["name"], check["run"])
        if key not in self.ran:
            run = self.run_apart if self.is_apart else self.run_shared
            self.ran[key] = run(check["run"])
        passed, stdout, output = self.ran[key]
        if part is None or not passed:
            return passed, output
        return decide(part, stdout, output)

    def run_apart(self, command):
        end_processes(JUDGE)
        self.judged.begin()
        emptied(JUDGE_HOME, JUDGE, 0o700)
        lay_sealed(self.plan, self.entries, JUDGE)
        variables = environment(
            "judge", JUDGE_HOME, PYTHONPATH="/sealed/lib", PYTHONDONTWRITEBYTECODE="1",
            GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null", GIT_CONFIG_NOSYSTEM="1",
            SYNTHD_JUDGED_PORT=str(self.judged.port))
        done = perform(command, JUDGE, JUDGE_HOME, variables, self.plan["timeout"], CHECK_OUTPUT,
                       umask=0o077)
        end_processes(JUDGE, AGENT)
        if self.judged.fault:
            raise self.judged.fault
        return told(done)

    def run_shared(self, command):
        lay_sealed(self.plan, self.entries, AGENT)
        variables = environment("agent", AGENT_HOME)
        done = perform(command, AGENT, WORK, variables, self.plan["timeout"], CHECK_OUTPUT)
        return told(done)


def told(done):
    """Whether a command passed, its whole output if it is known, and what it said."""
    ended, code, out, err = done
    stdout = out[0].decode("utf-8", "replace") if len(out[0]) == out[1] else None
    said = (out[0] + err[0]).decode("utf-8", "replace")
    return ended == "exit" and code == 0, stdout, said


def decide(part, stdout, said):
    """The result of one part: exactly one line must name it, as ok."""
    if stdout is None:
        return False, "the check wrote more than is kept\n" + said
    lines = stdout.split("\n")
    for line in lines:
        rest = line[len("not ok " + part):] if line.startswith("not ok " + part) else None
        if rest is not None and (not rest.strip() or rest.startswith(":")):
            return False, rest[1:].strip()
    times = lines.count("ok " + part)
    return times == 1, "" if times == 1 else "the check says %d times that %s is ok" % (times, part)


def score(results):
    if results and all(result["passed"] for result in results):
        return 1.0
    total = sum(result["weight"] for result in results)
    passed = sum(result["weight"] for result in results if result["passed"])
    return passed / total if total > 0 else 0.0


def unjudged():
    """Why the work cannot be judged; none if it can. The agent has made it so, and earns nothing."""
    beyond = ["find", WORK, "-mindepth", str(MAX_DEPTH), "-print", "-quit"]
    if subprocess.run(beyond, check=True, stdout=subprocess.PIPE).stdout:
        return "the work has more than %d directories in each other" % MAX_DEPTH
    files = (os.path.join(directory, name) for directory, _, names in os.walk(WORK)
             for name in names)
    if sum(os.lstat(path).st_size for path in files) > MAX_WORK:
        return "the work is larger than %d bytes" % MAX_WORK
    return None


def judged_checks(checks):
    results = []
    for check in checks.plan["checks"]:
        passed, said = checks.result(check)
        results.append({"name": check["name"], "weight": check["weight"], "passed": passed,
                        "output": said[-2000:]})
        print("%s %s" % ("ok    " if passed else "not ok", check["name"]))
        if not passed and said.strip():
            print("       " + said.strip()[-2000:].replace("\n", "\n       "))
    return results


def judged_copy(plan):
    """The results of the checks over a copy of the work. The work is as it was afterwards."""
    kept = tempfile.mkdtemp(prefix="judged-", dir="/var/tmp")
    try:
        # In a task with steps the agent goes on, so it must find its own files again.
        places = [WORK] + ([AGENT_HOME, "/tmp"] if plan["goes_on"] else [])
        for place in places:
            os.makedirs(kept + place)
            copied(place, kept + place)
        results = judged_checks(Checks(plan, kept + WORK))
        end_processes(AGENT, JUDGE)
        for place in places:
            emptied(place, *((0, 0o1777) if place == "/tmp" else (AGENT, 0o755)))
            copied(kept + place, place)
        emptied(SEALED, 0, 0o700)
        emptied(JUDGE_HOME, JUDGE, 0o700)
    finally:
        subprocess.run(["rm", "-rf", "--", kept], stdout=sys.stderr)
    return results


def clear_logs():
    """From now on nobody but root writes to the logs, and nothing of a judgement is there."""
    os.chown(LOGS, 0, 0)
    os.chmod(LOGS, 0o755)
    for entry in os.scandir(LOGS):
        if entry.name in JUDGEMENT:
            removed(entry)


def judgement(plan):
    """The results of all checks. Work that cannot be judged passes none."""
    why = unjudged()
    if why is None:
        return judged_copy(plan)
    print(why)
    return [{"name": check["name"], "weight": check["weight"], "passed": False, "output": why}
            for check in plan["checks"]]


def write_judgement(results):
    with open(LOGS + "/checks.json", "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    with open(LOGS + "/reward.txt", "w") as file:
        file.write("%r\n" % score(results))


def main():
    with open(TESTS + "/checks.json", encoding="utf-8") as file:
        plan = json.load(file)
    os.chmod(TESTS, 0o700)
    end_processes(AGENT, JUDGE)
    os.makedirs(LOGS, exist_ok=True)
    before, results = os.stat(LOGS), None
    clear_logs()
    try:
        results = judgement(plan)
    finally:
        # While a judged program may run, the logs stay closed.
        end_processes(AGENT, JUDGE)
        clear_logs()
        if results is not None:
            write_judgement(results)
        os.chown(LOGS, before.st_uid, before.st_gid)
        os.chmod(LOGS, stat.S_IMODE(before.st_mode))


if __name__ == "__main__":
    main()
