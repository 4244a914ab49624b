"""What is in an archive, whatever its format."""
import stat
import tarfile
import zipfile
import zlib
from collections import namedtuple

Entry = namedtuple("Entry", "name kind size target executable data")
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


def of_zip(path):
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            kind = {0: "file", stat.S_IFREG: "file", stat.S_IFLNK: "link"}.get(stat.S_IFMT(mode), "other")
            name, target = info.filename, None
            if name.endswith("/"):
                kind, name = "dir", name[:-1]
            elif kind == "link":
                target = archive.read(info).decode("utf-8", "surrogateescape") if info.file_size < 4096 else "/"
            yield Entry(name, kind, info.file_size, target, bool(mode & 0o100), lambda info=info: archive.read(info))


def of_tar(path, how):
    with tarfile.open(path, how) as archive:
        for info in archive:
            kind = "file" if info.isreg() else "dir" if info.isdir() else "link" if info.issym() else "hard" if info.islnk() else "other"
            yield Entry(info.name, kind, info.size, info.linkname, bool(info.mode & 0o100), lambda info=info: archive.extractfile(info).read())


def read(path):
    """The entries in their order. This, and the data of an entry, may raise what DAMAGE names."""
    with open(path, "rb") as file:
        magic = file.read(2)
    return of_zip(path) if magic == b"PK" else of_tar(path, "r:gz" if magic == b"\x1f\x8b" else "r:")
