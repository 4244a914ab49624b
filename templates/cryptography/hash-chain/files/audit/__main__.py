import json
import sys

from audit import check, prove, verify


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


name, *rest = sys.argv[1:]
if name == "verify":
    print(json.dumps(verify(read(rest[0]), json.loads(read(rest[1])) if rest[1:] else None)))
elif name == "prove":
    print(json.dumps(prove(read(rest[0]), int(rest[1]), int(rest[2]))))
elif name == "check":
    print(json.dumps(check(json.loads(read(rest[0])), json.loads(read(rest[1])), rest[2])))
