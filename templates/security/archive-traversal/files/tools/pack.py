"""Makes an archive of a description: python3 tools/pack.py samples/NAME.pack ARCHIVE

The first line is `tar`, `tar.gz` or `zip`. Then one line for each entry, with tabs between the words:

    file    NAME  MODE  TEXT
    big     NAME  MODE  BYTES
    dir     NAME
    link    NAME  TARGET
    hard    NAME  TARGET
    fifo    NAME
"""
import io
import stat
import sys
import tarfile
import zipfile

TYPES = {"dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE}


def to_tar(lines, place, how):
    with tarfile.open(place, how) as archive:
        for kind, name, *rest in lines:
            info, data = tarfile.TarInfo(name), b""
            info.type = TYPES.get(kind, tarfile.REGTYPE)
            if kind in ("link", "hard"):
                info.linkname = rest[0]
            elif kind in ("file", "big"):
                info.mode, data = int(rest[0], 8), rest[1].encode() if kind == "file" else bytes(int(rest[1]))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def to_zip(lines, place):
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind, name, *rest in lines:
            info, data, mode = zipfile.ZipInfo(name + "/" * (kind == "dir")), b"", {"dir": stat.S_IFDIR, "link": stat.S_IFLNK, "fifo": stat.S_IFIFO}.get(kind, stat.S_IFREG)
            if kind == "link":
                data = rest[0].encode()
            elif kind in ("file", "big"):
                mode, data = mode | int(rest[0], 8), rest[1].encode() if kind == "file" else bytes(int(rest[1]))
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)


with open(sys.argv[1]) as file:
    form, *lines = [line.rstrip("\n").split("\t") for line in file]
if form == ["zip"]:
    to_zip(lines, sys.argv[2])
else:
    to_tar(lines, sys.argv[2], "w:gz" if form == ["tar.gz"] else "w")
