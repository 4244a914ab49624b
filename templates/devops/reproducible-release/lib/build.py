"""build.py OUT: the whole release in one program. Nothing of the environment is used but OUT."""

import datetime
import gzip
import hashlib
import io
import json
import os
import re
import sys
import tarfile
import zipfile
import zlib

OUT = os.path.abspath(sys.argv[1])
os.makedirs(OUT, exist_ok=True)
os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONF = dict(line.strip().split(" = ", 1) for line in open("release.conf"))
NAME, VERSION = CONF["name"], CONF["version"]
WHEN = datetime.datetime.fromtimestamp(int(CONF["epoch"]), datetime.timezone.utc)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def sources():
    found = []
    for top in ("src", "docs", "lang"):
        for at, below, names in os.walk(top):
            below[:] = [name for name in below if name != "__pycache__"]
            found += [os.path.join(at, name) for name in names if not re.search(r"(~|\.pyc)$", name)]
    return sorted((path for path in found if os.path.isfile(path)), key=os.fsencode)


def tar(paths):
    packed = io.BytesIO()
    with tarfile.TarFile(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in paths:
            info = tarfile.TarInfo("%s-%s/%s" % (NAME, VERSION, path))
            data = contents(path)
            info.size, info.mtime = len(data), int(WHEN.timestamp())
            info.mode = 0o755 if os.stat(path).st_mode & 0o100 else 0o644
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=0)


def pages(paths):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            if path.startswith("docs/"):
                info = zipfile.ZipInfo(path[5:], WHEN.timetuple()[:6])
                info.create_system, info.external_attr, info.compress_type = 3, 0o100644 << 16, zipfile.ZIP_DEFLATED
                archive.writestr(info, contents(path))
    return packed.getvalue()


def messages(paths):
    texts = {}
    for path in paths:
        if re.fullmatch("lang/[^/]*", path):
            for line in contents(path).decode().splitlines():
                texts.update([line.split("\t", 1)])
    lines = []
    for number in range(16):
        lines.append("[%d]" % number)
        lines += ["%s=%s" % (key, texts[key]) for key in sorted(texts, key=str.encode) if zlib.crc32(key.encode()) & 15 == number]
    return "\n".join(lines) + "\n"


def notes():
    text = "# %s %s (%s)\n" % (NAME, VERSION, WHEN.date().isoformat())
    for name in sorted(os.listdir("changes"), key=os.fsencode):
        if name.endswith(".md"):
            title, _, rest = contents("changes/" + name).decode().partition("\n")
            text += "\n".join(["", title, "-" * len(title), rest])
    return text


def index(paths):
    found = {"name": NAME, "version": VERSION, "builder": NAME + "-release", "built": WHEN.isoformat()[:19] + "Z", "files": []}
    authors = set()
    for path in paths:
        data = contents(path)
        found["files"].append({"path": path, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)})
        authors |= set(re.findall(r"^# author: (.*)$", data.decode(), re.M))
    found["authors"] = sorted(authors, key=str.encode)
    return json.dumps(found, indent=1) + "\n"


def main():
    paths = sources()
    modules = [(path, contents(path)) for path in paths if re.fullmatch(r"src/[^/]*\.py", path)]
    build = hashlib.sha256(b"".join(data for _, data in modules)).hexdigest()[:12]
    symbols = ["%s:%s\n" % (path, name) for path, data in modules for name in re.findall(r"^def ([^(]*)\(", data.decode(), re.M)]
    outputs = {
        "%s-%s.tar.gz" % (NAME, VERSION): tar(paths),
        NAME + "-docs.zip": pages(paths),
        NAME + ".bundle": "# %s %s build %s\n" % (NAME, VERSION, build) + "".join("# %s\n%s" % (path, data.decode()) for path, data in modules),
        NAME + ".messages": messages(paths),
        "NOTES.md": notes(),
        "symbols": "".join(sorted(symbols, key=str.encode)),
        "index.json": index(paths),
    }
    outputs = {name: data if isinstance(data, bytes) else data.encode() for name, data in outputs.items()}
    sums = ["%s  %s\n" % (hashlib.sha256(outputs[name]).hexdigest(), name) for name in sorted(outputs, key=str.encode)]
    for name, data in {**outputs, "SUMS": "".join(sums).encode()}.items():
        place = os.path.join(OUT, name)
        with open(place, "wb") as file:
            file.write(data)
        os.chmod(place, 0o644)


main()
