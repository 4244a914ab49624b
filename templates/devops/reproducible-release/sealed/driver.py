import base64, hashlib, os, shutil, stat, subprocess, tempfile


def lay(top, files, is_other):
    """A project: bin/ and release/ of the agent, and files; for the other builder in another order, with other modes and times, and left-overs."""
    paths = sorted(files, reverse=is_other)
    for name in ("bin", "release"):
        if os.path.isdir(name):
            shutil.copytree(name, os.path.join(top, name))
    for number, path in enumerate(paths):
        place = os.path.join(top, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        text, may_run = files[path]
        with open(place, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(place, (0o700 if is_other else 0o755) if may_run else (0o600 if is_other else 0o644))
    if is_other:
        for path in ("src/zz.py~", "docs/old.md~", "lang/q.pyc", "src/__pycache__/core.pyc", "src/__pycache__/note.py"):
            os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
            with open(os.path.join(top, path), "w") as file:
                file.write("x\ty\n")
    for number, path in enumerate(paths):
        moment = (1300000000 if is_other else 1000000000) + (len(path) * 7919 + number * 104729) % 900000
        os.utime(os.path.join(top, path), (moment, moment))


def build(base, files, is_other):
    top = os.path.join(base, "b c", "project") if is_other else os.path.join(base, "p")
    out = os.path.join(base, "the outputs" if is_other else "out")
    temporary = os.path.join(base, "t")
    os.makedirs(temporary)
    lay(top, files, is_other)
    env = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "1", "LANG": "C.UTF-8", "TZ": "UTC", "HOME": "/home/agent", "USER": "agent", "TMPDIR": temporary}
    old = {}
    if is_other:
        env.update({"PYTHONHASHSEED": "2", "LANG": "C", "LC_ALL": "C", "TZ": "XYZ-13", "HOME": base, "USER": "somebody", "LOGNAME": "somebody", "SOURCE_DATE_EPOCH": "77",
                    "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
        os.makedirs(out)
        old = {"SUMS": "old\n", "older-0.1.tar.gz": "old\n", "older-docs.zip": "old\n", "index.json": "{}\n"}
        for name, text in old.items():
            with open(os.path.join(out, name), "w") as file:
                file.write(text)
    words = [os.path.relpath(os.path.join(top, "bin/release"), base), os.path.basename(out)] if is_other else ["bin/release", "../out"]
    before = os.umask(0o077 if is_other else 0o022)
    ended = subprocess.run(words, cwd=base if is_other else top, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    os.umask(before)
    found = {}
    for name in sorted(os.listdir(out)) if os.path.isdir(out) else []:
        path = os.path.join(out, name)
        if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 200000:
            with open(path, "rb") as file:
                data = file.read()
            found[name] = [stat.S_IMODE(os.stat(path).st_mode), base64.b64encode(data).decode()]
        else:
            found[name] = [0, ""]
    return {"code": ended.returncode, "said": ended.stderr.decode("utf-8", "replace").replace(base, "")[-200:], "outputs": found, "left": len(os.listdir(temporary))}


def answer(data):
    os.chdir("/work")
    told = []
    for is_other in (False, True):
        base = tempfile.mkdtemp(prefix="x" if is_other else "elsewhere")
        try:
            told.append(build(base, data, is_other))
        except (OSError, subprocess.SubprocessError) as error:
            told.append({"code": type(error).__name__, "said": "", "outputs": {}, "left": 0})
    return told
