"""index.json: what the release is made of."""
import datetime
import hashlib
import json
import os

tree = os.path.join(os.environ["STAGE"], "tree")
authors, files = set(), []
with open(os.path.join(os.environ["STAGE"], "list"), encoding="utf-8") as listed:
    paths = listed.read().splitlines()
for path in paths:
    with open(os.path.join(tree, path), "rb") as file:
        data = file.read()
    files.append({"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    for line in data.decode("utf-8").splitlines():
        if line.startswith("# author: "):
            authors.add(line[10:])
built = datetime.datetime.fromtimestamp(int(os.environ["EPOCH"]), datetime.timezone.utc)
index = {
    "name": os.environ["NAME"],
    "version": os.environ["VERSION"],
    "built": built.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "builder": os.environ["NAME"] + "-release",
    "authors": sorted(authors, key=str.encode),
    "files": files,
}
with open(os.path.join(os.environ["OUT"], "index.json"), "w", encoding="utf-8") as out:
    json.dump(index, out, indent=1, sort_keys=True)
    out.write("\n")
