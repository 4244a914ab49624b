"""NAME-docs.zip: the documentation."""
import os
import time
import zipfile

docs = os.path.join(os.environ["STAGE"], "tree", "docs")
stamp = time.gmtime(int(os.environ["EPOCH"]))[:6]
paths = []
for at, _, names in os.walk(docs):
    paths += [os.path.relpath(os.path.join(at, name), docs) for name in names]
with zipfile.ZipFile(os.path.join(os.environ["OUT"], os.environ["NAME"] + "-docs.zip"), "w") as packed:
    for path in sorted(paths, key=str.encode):
        info = zipfile.ZipInfo(path, stamp)
        info.create_system = 3
        info.external_attr = 0o100644 << 16
        with open(os.path.join(docs, path), "rb") as file:
            packed.writestr(info, file.read())
