"""The repository that the agent left, as data, and the one that was given. Version 1.

git runs only in repositories that the judge itself has made, without hooks and with no settings but those here. Of the
agent's repository come objects, branches and HEAD, each looked at for its form; git of the judge checks the objects
before anything is read of them. The given repository is built anew of the sealed history.
"""

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess

import judged

SEALED = os.path.dirname(os.path.abspath(__file__))
ENV = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
       "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C"}
LOOSE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{38}\Z")
HASH = re.compile(r"[0-9a-f]{40}\Z")
#: The most bytes of a file that is read.
LARGEST = 4 << 20


class Wrong(Exception):
    """What the agent left is not what was asked for."""


def plan():
    """All that the check is told."""
    told = {}
    for name in ("pack.json", "plan.json", "facts.json"):
        with open(os.path.join(SEALED, name), encoding="utf-8") as file:
            told.update(json.load(file))
    return told


def git(place, *words, stdin=None):
    """The output of git in a repository of the judge."""
    done = subprocess.run(["git", "--git-dir=" + place, *words], stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=ENV, cwd="/tmp")
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise Wrong("git %s: %s" % (words[0], said[-200:] or "refused"))
    return done.stdout


def made(place):
    subprocess.run(["git", "init", "-q", "--bare", "--template=", "-b", "none", place], env=ENV, check=True)


class Given:
    """The repository as the agent got it."""

    def __init__(self):
        self.place = "/tmp/given"
        made(self.place)
        with open(os.path.join(SEALED, "history"), "rb") as history:
            git(self.place, "fast-import", "--quiet", stdin=history)

    def tip(self, branch):
        return git(self.place, "rev-parse", "refs/heads/" + branch).decode().strip()

    def commits(self, branch):
        """The commits of a branch, the oldest first."""
        return git(self.place, "rev-list", "--reverse", "refs/heads/" + branch).decode().split()


class Left:
    """The repository that the agent left. Its objects lie in a repository of the judge."""

    def __init__(self):
        self.top, self.place = os.path.join(judged.SUBMISSION, ".git"), "/tmp/left"
        if not os.path.isdir(self.top):
            raise Wrong("expected the repository in .git, found no such directory")
        made(self.place)
        below = os.path.join(self.top, "objects")
        for top, _, names in os.walk(below):
            for name in names:
                path = os.path.join(top, name)
                short = os.path.relpath(path, below)
                # A git that is killed leaves empty files. They are no objects.
                if LOOSE.match(short) and os.path.getsize(path):
                    os.makedirs(os.path.join(self.place, "objects", short[:2]), exist_ok=True)
                    shutil.copyfile(path, os.path.join(self.place, "objects", short))
                elif re.match(r"pack/[^/]*\.pack\Z", short):
                    with open(path, "rb") as pack:
                        git(self.place, "index-pack", "--stdin", stdin=pack)

    def tip(self, branch):
        """The commit of a branch that is checked out. The objects below it are sound."""
        head = judged.submitted(".git/HEAD").strip()
        if head != "ref: refs/heads/" + branch:
            raise Wrong("expected that %s is checked out, found %s" % (branch, ascii(head[:60])))
        found = self.branches().get("refs/heads/" + branch, "")
        if not HASH.match(found):
            raise Wrong("expected the branch %s, found %s" % (branch, ascii(found[:60])))
        git(self.place, "update-ref", "refs/heads/theirs", found)
        git(self.place, "fsck", "--strict", "--no-dangling", "--no-progress")
        return found

    def branches(self):
        found = {}
        packed = os.path.join(self.top, "packed-refs")
        if os.path.isfile(packed):
            with open(packed, encoding="utf-8", errors="replace") as file:
                for line in file:
                    match = re.match(r"([0-9a-f]{40}) (refs/heads/\S+)$", line)
                    if match:
                        found[match[2]] = match[1]
        heads = os.path.join(self.top, "refs/heads")
        for top, _, names in os.walk(heads):
            for name in names:
                path = os.path.join(top, name)
                with open(path, encoding="utf-8", errors="replace") as file:
                    found["refs/heads/" + os.path.relpath(path, heads)] = file.read(100).strip()
        return found

    def is_below(self, old, tip):
        """Whether a commit is the tip, or comes before it."""
        return old in git(self.place, "rev-list", tip).decode().split()

    @functools.cache
    def tree(self, tip):
        """The files of a commit: `(mode, hash, size)` by path."""
        found = {}
        for entry in git(self.place, "ls-tree", "-r", "-l", "-z", tip).decode("utf-8", "replace").split("\0"):
            if not entry:
                continue
            info, _, path = entry.partition("\t")
            mode, kind, name, size = info.split()
            if kind != "blob" or mode not in ("100644", "100755"):
                raise Wrong("expected only regular files in the commit, found %s" % ascii(path))
            found[path] = (mode, name, int(size))
        return found

    def content(self, tip, path):
        _, name, size = self.tree(tip)[path]
        if size > LARGEST:
            raise Wrong("%s is larger than 4 MiB" % ascii(path))
        return git(self.place, "cat-file", "blob", name)

    def sources(self, tip, roots):
        """The sources of a commit."""
        below = [path for path in self.tree(tip) if any(path == root or path.startswith(root + "/") for root in roots)]
        if not below:
            raise Wrong("the commit has no file below %s" % " ".join(roots))
        return {path: self.content(tip, path) for path in below if "__pycache__" not in path.split("/")}

    def stands(self, tip):
        """The files of the commit lie in the workspace as they are committed."""
        for path, (_, name, _) in sorted(self.tree(tip).items()):
            data = judged.submitted(path, text=False)
            if hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() != name:
                raise Wrong("%s is not as it is committed" % ascii(path))


def say(part, why=None):
    """The line of a part."""
    print("ok %s" % part if why is None else "not ok %s: %s" % (part, ascii(str(why))[1:-1][:300]))


def tried(part, rule):
    """Says whether a rule holds."""
    try:
        rule()
        say(part)
    except (Wrong, judged.Refused) as why:
        say(part, why)
