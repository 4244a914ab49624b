def expected(files, name, version, epoch):
    """The outputs that docs/RELEASE.md promises. files: path -> (text, executable). Archives are described, not packed."""
    def by_bytes(names):
        return sorted(names, key=lambda text: text.encode())

    def below(top):
        return by_bytes(path for path in files if path.startswith(top) and "/" not in path[len(top):])

    sources = by_bytes(path for path in files if path.split("/")[0] in ("src", "docs", "lang") and path[-1] != "~" and not path.endswith(".pyc"))
    modules = [path for path in below("src/") if path.endswith(".py")]
    texts = {}
    for path in below("lang/"):
        for line in files[path][0].splitlines():
            key, _, text = line.partition("\t")
            texts[key] = text
    messages = ""
    for number in range(16):
        messages += "[%d]\n" % number + "".join("%s=%s\n" % (key, texts[key]) for key in by_bytes(texts) if zlib.crc32(key.encode()) % 16 == number)
    stamp = time.gmtime(epoch)
    notes = "# %s %s (%s)\n" % (name, version, time.strftime("%Y-%m-%d", stamp))
    for path in below("changes/"):
        title, _, rest = files[path][0].partition("\n")
        notes += "\n%s\n%s\n%s" % (title, "-" * len(title), rest)
    sum = hashlib.sha256("".join(files[path][0] for path in modules).encode()).hexdigest()
    lines = [(path, line) for path in modules for line in files[path][0].splitlines() if line.startswith("def ")]
    index = {
        "name": name, "version": version, "built": time.strftime("%Y-%m-%dT%H:%M:%SZ", stamp), "builder": name + "-release",
        "authors": by_bytes({line[10:] for path in sources for line in files[path][0].splitlines() if line.startswith("# author: ")}),
        "files": [{"path": path, "size": len(files[path][0].encode()), "sha256": hashlib.sha256(files[path][0].encode()).hexdigest()} for path in sources],
    }
    return {
        "%s-%s.tar.gz" % (name, version): ["flags 0, time 00000000"] + [
            ["%s-%s/%s" % (name, version, path), "0", epoch, 0, 0, "", "", 0o755 if files[path][1] else 0o644, files[path][0]] for path in sources],
        name + "-docs.zip": [[path[5:], list(stamp[:6]), 3, 0o100644 << 16, files[path][0]] for path in sources if path.startswith("docs/")],
        name + ".bundle": "# %s %s build %s\n" % (name, version, sum[:12]) + "".join("# %s\n%s" % (path, files[path][0]) for path in modules),
        name + ".messages": messages,
        "NOTES.md": notes,
        "symbols": "".join(by_bytes("%s:%s\n" % (path, line[4:].partition("(")[0]) for path, line in lines)),
        "index.json": index,
    }


def described(name, data):
    """An output in the form in which it is expected."""
    if name.endswith(".tar.gz"):
        packed = tarfile.open(fileobj=io.BytesIO(gzip.decompress(data)), mode="r:")
        return ["flags %d, time %s" % (data[3], data[4:8].hex())] + [
            [one.name, one.type.decode(), one.mtime, one.uid, one.gid, one.uname, one.gname, one.mode, packed.extractfile(one).read().decode() if one.isreg() else ""] for one in packed]
    if name.endswith(".zip"):
        packed = zipfile.ZipFile(io.BytesIO(data))
        return [[one.filename, list(one.date_time), one.create_system, one.external_attr, packed.read(one).decode()] for one in packed.infolist()]
    return json.loads(data) if name.endswith(".json") else data.decode()


def difference(wanted, found):
    """Where two descriptions differ first."""
    if isinstance(wanted, dict) and isinstance(found, dict) and wanted.keys() == found.keys():
        key = next(key for key in wanted if wanted[key] != found[key])
        return "%s: %s" % (key, difference(wanted[key], found[key]))
    if isinstance(wanted, str) and isinstance(found, str):
        wanted, found = wanted.split("\n"), found.split("\n")
    if isinstance(wanted, list) and isinstance(found, list):
        for number, (one, other) in enumerate(zip(wanted, found), 1):
            if one != other:
                return "number %d: expected %s, found %s" % (number, ascii(one)[:150], ascii(other)[:150])
        return "expected %d lines or entries, found %d" % (len(wanted), len(found))
    return "expected %s, found %s" % (ascii(wanted)[:150], ascii(found)[:150])
