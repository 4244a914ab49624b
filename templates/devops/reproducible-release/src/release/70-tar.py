"""NAME-VERSION.tar.gz: the sources."""
import gzip
import io
import os
import tarfile

top = "%s-%s" % (os.environ["NAME"], os.environ["VERSION"])
tree = os.path.join(os.environ["STAGE"], "tree")
with open(os.path.join(os.environ["STAGE"], "list"), encoding="utf-8") as listed:
    paths = listed.read().splitlines()


def plain(info):
    info.mtime = int(os.environ["EPOCH"])
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
    for path in paths:
        tar.add(os.path.join(tree, path), "%s/%s" % (top, path), recursive=False, filter=plain)
with open(os.path.join(os.environ["OUT"], top + ".tar.gz"), "wb") as out:
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as zipped:
        zipped.write(packed.getvalue())
