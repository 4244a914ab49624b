import fcntl, hashlib, os, shutil, signal, subprocess, tempfile, time

CHANGES = ("mv", "cp", "ln", "flock")
COMMANDS = (*CHANGES, "rm", "rmdir")
# What stands in the place of a command: it counts, and at its turn it kills the caller with all of its group, or stops until it is told.
SHIM = """#!/bin/sh
read -r n < "$SHIM_AT/count"
n=$((n + 1))
echo $n > "$SHIM_AT/count"
if [ $n -eq $SHIM_TURN ]; then
    if [ $SHIM_DOES = kill ]; then
        echo killed > "$SHIM_AT/killed"
        kill -9 0
    fi
    echo stopped > "$SHIM_AT/stopped"
    while [ ! -f "$SHIM_AT/go" ]; do sleep 0.01; done
fi
exec REAL "$@"
"""
HANDLER = """#!/bin/sh
IFS= read -r tag
echo "$tag" >> EFFECTS
case $tag in
    fail*) echo partial; exit 4 ;;
    die*) echo partial; kill -9 0 ;;
    wait*) while [ ! -f EFFECTS.go ]; do sleep 0.02; done ;;
esac
echo "$tag"
cat
"""


class Late(Exception):
    pass


class Spool:
    def __init__(self, handler):
        self.top = tempfile.mkdtemp(prefix="the spool ")
        self.handler = handler
        self.effects = handler + ".effects"
        with open(self.effects, "w"):
            pass
        for place in ("incoming", "active", "done", "failed", "results", "tries", "tmp", "locks"):
            os.mkdir(self.at(place))

    def at(self, *parts):
        return os.path.join(self.top, *parts)

    def put(self, path, content):
        os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)
        with open(self.at(path), "w") as file:
            file.write(content)

    def job(self, place, name, tag):
        self.put(place + "/" + name, "%s\n%s\nrest\n" % (os.path.basename(self.handler), tag))

    def dead(self):
        process = subprocess.Popen(["true"])
        process.wait()
        return process.pid

    def begin(self, program, *words, stdin=subprocess.DEVNULL, **more):
        env = dict(os.environ, SPOOL=self.top, **more)
        return subprocess.Popen(["/work/bin/" + program, *words], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                env=env, cwd="/tmp", start_new_session=True)

    def end(self, process):
        try:
            out = process.communicate(timeout=25)[0].decode("utf-8", "replace")
            return process.returncode, out
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise Late()

    def run(self, program, *words, **more):
        return self.end(self.begin(program, *words, **more))

    def submit(self, label, tag):
        process = self.begin("submit", label, stdin=subprocess.PIPE)
        try:
            process.stdin.write(("%s\n%s\nrest\n" % (os.path.basename(self.handler), tag)).encode())
            process.stdin.close()
        except OSError:
            pass
        process.stdin = None
        return self.end(process)[1]

    def names(self, place):
        return sorted(os.listdir(self.at(place)))

    def ledger(self):
        if not os.path.isfile(self.at("ledger")):
            return []
        with open(self.at("ledger"), errors="replace") as file:
            return file.read().splitlines()

    def happened(self):
        with open(self.effects) as file:
            return file.read().splitlines()

    def results(self):
        found = {}
        for name in self.names("results"):
            with open(self.at("results", name), "rb") as file:
                found[name] = hashlib.sha256(file.read()).hexdigest()[:16]
        return found

    def held(self):
        return sorted(name for _, _, names in os.walk(self.at("active")) for name in names)

    def state(self):
        return [self.names("incoming"), self.held(), self.names("done"), self.names("failed"), sorted(self.ledger()), self.results()]

    def waits(self, process, name, is_early):
        """Whether a program goes on although somebody else has a lock."""
        with open(self.at("locks", name), "a") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            asleep = 0
            for _ in range(120):
                if process.poll() is not None or is_early():
                    return False
                asleep = asleep + 1 if self.sleeps(process.pid) else 0
                if asleep == 6:
                    break
                time.sleep(0.05)
            return not is_early()

    def sleeps(self, group):
        """Whether a program `flock` of a process group sleeps."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid) as file:
                    name, _, rest = file.read().partition("(")[2].rpartition(")")
            except OSError:
                continue
            fields = rest.split()
            if name == "flock" and fields[0] == "S" and int(fields[2]) == group:
                return True
        return False


def shims(commands):
    top = tempfile.mkdtemp()
    for name in commands:
        path = os.path.join(top, name)
        with open(path, "w") as file:
            file.write(SHIM.replace("REAL", shutil.which(name)))
        os.chmod(path, 0o755)
    return top


def shimmed(top, turn, does):
    for name in ("killed", "stopped", "go"):
        if os.path.exists(top + "/" + name):
            os.remove(top + "/" + name)
    with open(top + "/count", "w") as file:
        file.write("0\n")
    return {"PATH": top + ":" + os.environ["PATH"], "SHIM_AT": top, "SHIM_TURN": str(turn), "SHIM_DOES": does}


def half(s, _):
    process = s.begin("submit", "big one", stdin=subprocess.PIPE)
    try:
        process.stdin.write((os.path.basename(s.handler) + "\ntag\n" + "x" * 199 * 1000).encode())
        process.stdin.flush()
        s.run("worker", "--once")
        before = [s.names("incoming"), s.happened(), s.ledger()]
        process.stdin.write(b"\nthe end\n")
        process.stdin.close()
    except OSError:
        before = "submit does not read its input"
    process.stdin = None
    said = s.end(process)[1]
    s.run("worker")
    return [before, said, s.ledger(), s.results()]


def seqlock(s, _):
    s.submit("a", "one")
    process = s.begin("submit", "b", stdin=subprocess.PIPE)
    try:
        process.stdin.write((os.path.basename(s.handler) + "\ntwo\n").encode())
        process.stdin.close()
    except OSError:
        pass
    process.stdin = None
    waits = s.waits(process, "seq", lambda: len(s.names("incoming")) > 1)
    said = s.end(process)[1]
    with open(s.at("seq")) as file:
        return [waits, said, s.names("incoming"), file.read().strip()]


def ledgerlock(s, _):
    s.job("incoming", "1-a", "one")
    process = s.begin("worker")
    waits = s.waits(process, "ledger", lambda: s.ledger() != [])
    s.end(process)
    return [waits, s.ledger()]


def recorded(s, _):
    s.put("ledger", "11-ab\tdone\n5-x\tdone\n")
    s.job("incoming", "1-a", "one")
    s.job("incoming", "1-ab", "two")
    s.job("active/%d" % s.dead(), "5-x", "five")
    s.put("results/5-x", "five\nrest\n")
    s.run("reap")
    s.run("worker")
    return [sorted(s.ledger()), s.names("done")]


def sweep(handler, most):
    """Kills a worker or reap at each of its commands; the states in the end."""
    top, found = shims(CHANGES), []
    for kind in ("done", "failed", "reap"):
        for turn in range(1, 25):
            s = Spool(handler)
            if kind == "reap":
                pid = s.dead()
                s.job("active/%d" % pid, "3-x", "fail")
                s.put("tries/3-x", "%d\n" % most)
                s.job("active/%d" % pid, "4-y", "good")
                s.put("results/4-y", "good\nrest\n")
            else:
                s.job("incoming", "7-a b", "good" if kind == "done" else "fail")
                s.put("tries/7-a b", "%d\n" % (0 if kind == "done" else most - 1))
            s.run("reap" if kind == "reap" else "worker", **shimmed(top, turn, "kill"))
            was_killed = os.path.exists(top + "/killed")
            s.run("reap")
            s.run("worker")
            state = [kind, s.state()]
            shutil.rmtree(s.top)
            if state not in found:
                found.append(state)
            if not was_killed:
                break
    return found


def died(s, most):
    s.job("incoming", "2-x", "die")
    found = []
    for _ in range(most):
        s.run("worker", "--once")
        between = [s.names("results"), s.held()]
        s.run("reap")
        found.append([between, s.names("incoming"), s.names("failed"), s.ledger()])
    return [found, s.happened()]


def failing(s, most):
    s.job("incoming", "2-x", "fail")
    found = []
    for _ in range(most):
        code = s.run("worker", "--once")[0]
        found.append([code, s.names("incoming"), s.names("failed"), s.names("results"), s.ledger()])
    return [found, s.happened()]


def together(handler, _):
    top, found = shims(COMMANDS), []
    for turn in range(1, 7):
        s = Spool(handler)
        s.job("incoming", "1-a", "one")
        s.job("incoming", "2-b", "two")
        first = s.begin("worker", **shimmed(top, turn, "stop"))
        for _ in range(1000):
            if first.poll() is not None or os.path.exists(top + "/stopped"):
                break
            time.sleep(0.01)
        second = s.begin("worker")
        for _ in range(150):
            if second.poll() is not None:
                break
            time.sleep(0.01)
        with open(top + "/go", "w"):
            pass
        s.end(first)
        s.end(second)
        state = [sorted(s.happened()), s.state()]
        shutil.rmtree(s.top)
        if state not in found:
            found.append(state)
    return found


def beside(s, _):
    s.job("incoming", "1-a", "wait")
    s.job("incoming", "2-b", "two")
    first = s.begin("worker")
    for _ in range(1000):
        if first.poll() is not None or s.happened():
            break
        time.sleep(0.01)
    try:
        s.run("worker")
        found = [s.happened(), s.held(), s.names("done"), s.ledger()]
    finally:
        with open(s.effects + ".go", "w"):
            pass
    s.end(first)
    return [found, sorted(s.ledger())]


def order(s, _):
    for number in (10, 9, 2, 100):
        s.job("incoming", "%d-x" % number, "n%d" % number)
    s.run("worker")
    return s.happened()


def foreign(s, _):
    strangers = ["notes", "7.part", "x-1", "8", ".hidden"]
    for name in strangers:
        s.job("incoming", name, "stranger")
    s.job("incoming", "9-y", "good")
    code = s.run("worker")[0]
    return [code, s.names("incoming"), s.happened()]


def names(s, _):
    said = [s.submit(label, "good") for label in ("two  words", "back\\slash t", "-dash", "it's *")]
    s.run("worker")
    return [said, s.names("done"), s.names("incoming")]


def alive(s, _):
    dead = s.dead()
    s.job("active/%d" % os.getpid(), "3-x", "good")
    s.job("active/%d" % dead, "4-y", "good")
    s.put("tries/4-y", "1\n")
    s.run("reap")
    return [s.held(), s.names("incoming"), s.happened()]


def reaping(s, most):
    dead = "active/%d" % s.dead()
    for number, tries in ((3, most), (4, most), (5, 1)):
        s.job(dead, "%d-x" % number, "good")
        s.put("tries/%d-x" % number, "%d\n" % tries)
    s.put("results/4-x", "good\nrest\n")
    s.job("active/%d" % s.dead(), "6-x", "good")
    s.put("results/6-x", "good\nrest\n")
    s.put("tries/6-x", "1\n")
    s.run("reap")
    return [s.names("incoming"), s.names("done"), s.names("failed"), sorted(s.ledger()), s.happened()]


def status(s, _):
    for place, name in (("incoming", "1-a"), ("incoming", "2-b"), ("active/4194001", "3-c"), ("active/4194001", "4-d"), ("active/4194002", "5-e e"), ("done", "6-f"),
                        ("failed", "7-g")):
        s.job(place, name, "x")
    s.put("incoming/notes", "x")
    s.put("incoming/8.part", "x")
    return s.run("status")[1]


def answer(data):
    handler = os.path.join("/work/handlers", data["handler"])
    with open(handler, "w") as file:
        file.write(HANDLER.replace("EFFECTS", "'%s.effects'" % handler))
    os.chmod(handler, 0o755)
    found = {}
    for name in data["tests"]:
        test = globals()[name]
        try:
            if name in ("sweep", "together"):
                found[name] = test(handler, data["most"])
            else:
                found[name] = test(Spool(handler), data["most"])
        except Late:
            found[name] = "a program does not end"
        except Exception as why:
            found[name] = "nothing to look at: %r" % why
    return found
