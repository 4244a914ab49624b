"""Archives that want something else: python3 -B /tmp/hostile.py"""
import io, json, os, shutil, sys, tarfile, tempfile, zipfile

sys.path.insert(0, "/work")
from intake import accept

with open("/work/etc/limits.json") as file:
    limits = json.load(file)


def tar(*entries, how="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=how) as archive:
        for kind, name, data in entries:
            info = tarfile.TarInfo(name)
            info.type = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "p": tarfile.FIFOTYPE}[kind]
            info.linkname, data = (data, b"") if kind in "lh" else ("", data)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def pack(*names, data=b"x"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return out.getvalue()


def show(what, blob):
    top = tempfile.mkdtemp()
    os.mkdir(top + "/in")
    with open(top + "/archive", "wb") as file:
        file.write(blob)
    told = accept(top + "/archive", top + "/in/new", limits)
    if told.get("ok"):
        told["files"] = [row[0] for row in told["files"]]
    print("%-28s" % what, {key: value for key, value in told.items() if value or key == "ok"}, sorted(os.listdir(top + "/in")))
    shutil.rmtree(top)


for name in ("../q", "/q", "q//w", "q/./w", "q/..", "q\\w", "C:q", "q\nw", ".q", "./q", "q/.w", "...", "n" * limits["name_bytes"], "é" * (limits["name_bytes"] // 2 + 1), "/".join("q" * (limits["depth"] + 1))):
    show("name " + ascii(name)[:20], tar(("f", name, b"x"), ("f", "z", b"")))
for target in ("w", "../w", "../../w", "/w", "w/../x", "..", "./w", ""):
    show("link q/l -> " + target, tar(("l", "q/l", target)))
show("through a link", tar(("l", "q", "w"), ("f", "q/x", b"")))
show("hard link", tar(("f", "q", b"1"), ("h", "w", "q")))
show("hard link to nothing", tar(("h", "w", "../q")))
show("fifo", tar(("p", "q", b"")))
show("twice", tar(("f", "q", b"1"), ("f", "q", b"22")))
show("case", tar(("f", "q", b"1"), ("f", "Q", b"22")))
show("case above", pack("a/b", "A/c"))
show("file and directory", tar(("f", "q/w", b"1"), ("f", "q", b"")))
show("directory again", tar(("f", "q/w", b"1"), ("d", "q", b"")))
show("too large", tar(("f", "q", bytes(limits["file_bytes"] + 1))))
show("as large as may be", tar(("f", "q", bytes(limits["file_bytes"]))))
show("bomb", pack("q", data=bytes(limits["file_bytes"])))
show("bomb in gzip", tar(("f", "q", bytes(50 * limits["file_bytes"])), how="w:gz"))
show("many", pack(*["q%d" % n for n in range(limits["entries"] + 1)]))
show("just not too many", pack(*["q%d" % n for n in range(limits["entries"])]))
show("cut", tar(("f", "q", b"y" * 1500))[:1200])
show("cut zip", pack("q")[:-5])
show("nothing", b"")
