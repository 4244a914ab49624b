import base64, hashlib, os, shutil, stat, tempfile


def seen(top):
    """All that is below a directory: [path, type, mode, content]."""
    found = []
    for place, below, names in os.walk(top):
        for name in sorted(below + names):
            path = os.path.join(place, name)
            info = os.lstat(path)
            if stat.S_ISLNK(info.st_mode):
                what = ["link", 0, os.readlink(path)]
            elif stat.S_ISDIR(info.st_mode):
                what = ["dir", info.st_mode & 0o7777, ""]
            elif stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    what = ["file", info.st_mode & 0o7777, hashlib.sha256(file.read()).hexdigest()]
            else:
                what = ["other", 0, ""]
            found.append([os.path.relpath(path, top), *what])
    return sorted(found)


def one(job):
    from intake import accept
    top = tempfile.mkdtemp()
    place, box = os.path.join(top, "deep", "er"), os.path.join(top, "box")
    os.makedirs(place)
    os.mkdir(box)
    archive = os.path.join(box, job["name"])
    for path, data in ((archive, base64.b64decode(job["archive"])), (os.path.join(place, "neighbour"), b"here before\n"), (os.path.join(top, "neighbour"), b"here before\n")):
        with open(path, "wb") as file:
            file.write(data)
    new = os.path.join(place, "new")
    if job["before"] == "dir":
        os.mkdir(new)
    elif job["before"] == "link":
        os.symlink("nowhere", new)
    around, old = seen(top), os.umask(job["umask"])
    try:
        told = accept(archive, new, job["limits"])
    except Exception as error:
        told = {"raised": type(error).__name__}
    os.umask(old)
    after = seen(top)
    inside = [row for row in after if row[0].startswith("deep/er/new/") or row[0] == "deep/er/new"]
    outside = [row for row in after if row not in inside]
    escaped = [path for path in job["elsewhere"] if os.path.lexists(path)]
    for path in escaped:
        os.unlink(path)
    os.chmod(top, 0o700)
    shutil.rmtree(top, True)
    return [told, inside, outside != [row for row in around if row[0] != "deep/er/new"] or bool(escaped)]


def answer(jobs):
    return [one(job) for job in jobs]
