import hashlib, os, shutil, subprocess, tempfile

SHIM = """#!/bin/sh
read -r n < "$SHIM_AT/count"
n=$((n + 1))
echo $n > "$SHIM_AT/count"
echo NAME >> "$SHIM_AT/names"
if [ $n -eq $SHIM_TURN ]; then
    : > "$SHIM_AT/met"
    for last in "$@"; do :; done
    case $SHIM_DOES.NAME in
    kill.*) kill -9 0 ;;
    fail.*) exit 1 ;;
    half.cp | lie.cp)
        REAL "$@"
        if [ -d "$last" ]; then last=$last/page.html; fi
        : > "$last"
        [ $SHIM_DOES = lie ] && exit 0
        kill -9 0 ;;
    half.ln)
        case "$*" in -*f*) rm -f "$last" ;; esac
        kill -9 0 ;;
    esac
fi
exec REAL "$@"
"""
PROBE = """#!/bin/sh
echo "$1 $(readlink current)" >> '%s'
[ "$(cat current/RELEASE)" = "$1" ] || exit 9
[ %s = "$1" ] || exit 0
[ $(wc -l < '%s') -gt %d ]
"""
CHANGES = ("cp", "mv", "ln", "rm", "mkdir")


def contents(id):
    files = {"RELEASE": id + "\n", "page.html": "page of %s\n" % id * 20, ".env": "ID=%s\n" % id, "sub dir/a b": "x" + id}
    files["SUMS"] = "".join("%s  %s\n" % (hashlib.sha256(text.encode()).hexdigest(), name) for name, text in files.items())
    return files


def release(top, id):
    os.makedirs(top + "/sub dir")
    for name, text in contents(id).items():
        with open(os.path.join(top, name), "w") as file:
            file.write(text)


def is_whole(top, id):
    found = {}
    for at, _, names in os.walk(top):
        for name in names:
            with open(os.path.join(at, name)) as file:
                found[os.path.relpath(os.path.join(at, name), top)] = file.read()
    data = os.path.join(top, "data")
    return found == contents(id) and os.path.islink(data) and os.readlink(data) == "../../shared"


class Site:
    def __init__(self, history, keep=3, tries=2, sick="-", well=99, current=None, extra=()):
        self.base = tempfile.mkdtemp(prefix="my sites ")
        self.top = self.base + "/the site"
        self.calls = self.base + "/calls"
        for name in ("releases", "shared", "tmp"):
            os.makedirs(self.at(name))
        for id in history + list(extra):
            release(self.at("releases", id), id)
            os.symlink("../../shared", self.at("releases", id, "data"))
        self.put("history", "".join(id + "\n" for id in history))
        self.put("config", "keep = %d\ntries = %d\n" % (keep, tries))
        self.put("probe", PROBE % (self.calls, sick, self.calls, well))
        self.put("shared/db", "users\n")
        os.chmod(self.at("probe"), 0o755)
        if history:
            os.symlink("releases/" + (current or history[-1]), self.at("current"))
        open(self.calls, "w").close()

    def at(self, *parts):
        return os.path.join(self.top, *parts)

    def put(self, path, text):
        with open(self.at(path), "w") as file:
            file.write(text)

    def source(self, id, as_id=None):
        place = os.path.join(self.base, "new " + (as_id or id).replace("/", "_")[:9])
        release(place, id)
        return place

    def run(self, name, *words, turn=0, does="", cwd="/tmp"):
        env = dict(os.environ)
        if turn:
            self.shims = tempfile.mkdtemp(prefix="shims ")
            with open(self.shims + "/count", "w") as file:
                file.write("0\n")
            env.update(SHIM_AT=self.shims, SHIM_TURN=str(turn), SHIM_DOES=does, PATH=SHIMS + ":" + env["PATH"])
        child = subprocess.Popen(["/work/bin/" + name, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 env=env, cwd=cwd, start_new_session=True)
        try:
            out = child.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            out = child.communicate()[0]
        return [child.returncode, out.decode("utf-8", "replace")]

    def met(self):
        met = os.path.exists(self.shims + "/met")
        names = open(self.shims + "/names").read().split() if os.path.exists(self.shims + "/names") else []
        shutil.rmtree(self.shims)
        return met, names

    def seen(self):
        try:
            current = os.readlink(self.at("current"))
        except OSError as error:
            current = type(error).__name__
        with open(self.at("history")) as file:
            history = file.read().split("\n")
        releases = {id: is_whole(self.at("releases", id), id.strip(".")) for id in os.listdir(self.at("releases"))}
        rest = sorted(set(os.listdir(self.top)) - {"current", "history", "releases", "shared", "config", "probe", "tmp"})
        with open(self.at("shared/db")) as file:
            return [current, history, releases, rest, sorted(os.listdir(self.at("tmp"))), file.read()]

    def served(self):
        try:
            target = os.readlink(self.at("current"))
        except OSError as error:
            return type(error).__name__
        return [target, os.path.isdir(self.at(target)) and is_whole(self.at(target), os.path.basename(target))]

    def probes(self):
        with open(self.calls) as file:
            return file.read().split("\n")

    def gone(self):
        shutil.rmtree(self.base)


def shims():
    place = tempfile.mkdtemp()
    for name in CHANGES:
        path = os.path.join(place, name)
        with open(path, "w") as file:
            file.write(SHIM.replace("NAME", name).replace("REAL", shutil.which(name)))
        os.chmod(path, 0o755)
    return place


def rehearsed(job, turn, does):
    site = Site(**job["site"])
    words = [job["id"], site.source(job["id"])] if job["command"] == "deploy" else []
    ended = site.run(job["command"], site.top, *words, turn=turn, does=does)
    return site, ended, *site.met()


def sweep(job):
    site, ended, _, names = rehearsed(job, 999, "none")
    site.gone()
    told = [["none", "count", ended[0], {name: names.count(name) for name in sorted(set(names))}]]
    for does, calls in job["does"].items():
        for turn, name in enumerate(names[:60], 1):
            if name in calls:
                site, ended, met, _ = rehearsed(job, turn, does)
                one = [does, name, ended, site.served(), site.run("recover", site.top)[0], site.seen()]
                if one not in told:
                    told.append(one)
                site.gone()
    return told


def play(job):
    if "does" in job:
        return sweep(job)
    site, told = Site(**job["site"]), []
    for step in job["steps"]:
        name = step[0]
        if name == "deploy":
            told.append([site.run("deploy", site.top, step[1], site.source(step[1])), site.seen()])
        elif name == "bad":
            place = site.source(step[1])
            with open(place + "/" + step[2], "a") as file:
                file.write("more")
            told.append([site.run("deploy", site.top, step[1], place), site.seen()])
        elif name == "near":
            place = os.path.basename(site.source(step[1]))
            told.append([site.run("deploy", "the site", step[1], place, cwd=site.base), site.seen()])
        elif name == "id":
            told.append([site.run("deploy", site.top, step[1], site.source("x", "odd%d" % len(told)))[0], site.seen()])
        elif name == "lock":
            owner = subprocess.Popen(["sleep", "60"])
            if step[1] == "gone":
                owner.kill()
                owner.wait()
            os.symlink(str(owner.pid), site.at("lock"))
            code = site.run("deploy", site.top, step[2], site.source(step[2]))[0]
            try:
                kept = os.readlink(site.at("lock")) == str(owner.pid)
            except OSError:
                kept = False
            if kept:
                os.unlink(site.at("lock"))
            told.append([code, kept, site.seen()])
            if step[1] != "gone":
                owner.kill()
                owner.wait()
        elif name == "rubbish":
            for path in step[1]:
                os.makedirs(site.at(path))
            site.put("tmp/history", "rubbish\n")
            os.symlink("releases/nowhere", site.at("current.new"))
        elif name == "lost":
            os.unlink(site.at("current"))
        elif name == "probes":
            told.append(site.probes())
        else:
            told.append([site.run(name, site.top), site.seen()])
    site.gone()
    return told


def answer(jobs):
    global SHIMS
    SHIMS = shims()
    told = {}
    for name, job in jobs:
        try:
            told[name] = play(job)
        except Exception as error:
            told[name] = "%s: %s" % (type(error).__name__, error)
    return told
