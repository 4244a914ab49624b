import json, os, subprocess, tempfile


def seen(top):
    """All files below DIR, apart from the directories of jobs, which are seen by the paths of their files."""
    found = {}
    for at, _, names in os.walk(top):
        for name in names:
            path = os.path.join(at, name)
            short = os.path.relpath(path, top)
            with open(path, "rb") as file:
                found[short] = "" if short.startswith("jobs/") else file.read(4000).decode("utf-8", "replace")
    return found


def answer(data):
    told = {}
    for name, text, given in data:
        base = tempfile.mkdtemp(prefix="pipes ")
        top = os.path.join(base, "below")
        for path in ("artifacts/old/x", "logs/old.log", "jobs/old/y", "mine/z"):
            os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
            with open(os.path.join(top, path), "w") as file:
                file.write("old\n")
        pipeline = os.path.join(base, "a.pipe")
        with open(pipeline, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            ended = subprocess.run(["python3", "-S", "-B", "-m", "ci", pipeline, top, os.path.join(base, "report"), *given], cwd="/work", stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        except subprocess.TimeoutExpired:
            told[name] = {"code": "no end"}
            continue
        said = [line.replace(base + "/", "") for line in ended.stderr.decode("utf-8", "replace").splitlines()]
        one = told[name] = {"code": ended.returncode, "lines": sorted({":".join(line.split(":")[:2]) for line in said if line.startswith("a.pipe:")})}
        try:
            with open(os.path.join(base, "report"), encoding="utf-8") as file:
                one["report"] = json.load(file)
        except (OSError, ValueError):
            one["report"] = None
        one["files"] = seen(top) if ended.returncode in (0, 1) else {}
        if ended.returncode not in (0, 1, 2):
            one["said"] = said[-1:]
    return told
