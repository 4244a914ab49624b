import os, shutil, subprocess, tempfile

TOOLS = "sh make awk mawk sed sort cut tr cmp mv mkdir rm rmdir cp cat join paste uniq head tail wc printf echo test [ ls find grep touch basename dirname date tee comm diff expr true false env xargs od seq mktemp chmod nl ln split stat sleep id pwd".split()


def below(top):
    """What stands in a directory: text, and whether its time is the one that was set."""
    found = {}
    for at, names, files in os.walk(top):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            path = os.path.join(at, name)
            if not name.startswith(".") and os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace", newline="") as file:
                    found[os.path.relpath(path, top)] = [file.read(1 << 18), os.stat(path).st_mtime_ns == 10 ** 18]
    return found


def answer(data):
    tools = tempfile.mkdtemp()
    for name in TOOLS:
        path = shutil.which(name)
        if path:
            os.symlink(path, tools + "/" + name)
    told = []
    for deeds in data:
        base, one = tempfile.mkdtemp(), []
        os.mkdir(base + "/in")
        for what, *more in deeds:
            if what == "files":
                for name, text in more[0].items():
                    if text is None:
                        os.remove(base + "/in/" + name)
                    else:
                        with open(base + "/in/" + name, "w", encoding="utf-8", newline="") as file:
                            file.write(text)
            elif what == "age":
                for at, _, files in os.walk(base + "/out"):
                    for name in files:
                        os.utime(os.path.join(at, name), ns=(10 ** 18, 10 ** 18))
            else:
                ended = subprocess.run([tools + "/make", "-s", "IN=" + base + "/in", "OUT=" + base + "/out", *more], cwd="/work", env={"PATH": tools, "HOME": base, "LANG": "C.UTF-8"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
                one.append([ended.returncode, below(base + "/out"), ended.stderr.decode("utf-8", "replace")[-200:], sorted(os.listdir(base + "/in"))])
        told.append(one)
        shutil.rmtree(base, ignore_errors=True)
    return told
