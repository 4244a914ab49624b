"""python3 -m ci PIPELINE DIR REPORT [KEY=VALUE...], see docs/PIPELINE.md"""

import json
import sys

from .execute import execute
from .wrong import Wrong


def main(words):
    if len(words) < 3 or not all("=" in word for word in words[3:]):
        print("usage: python3 -m ci PIPELINE DIR REPORT [KEY=VALUE...]", file=sys.stderr)
        return 64
    path, top, report = words[:3]
    try:
        told = execute(path, top, dict(word.split("=", 1) for word in words[3:]))
    except Wrong as error:
        print("%s:%d: %s" % (path, error.line, error), file=sys.stderr)
        return 2
    with open(report, "w", encoding="utf-8") as file:
        json.dump(told, file, indent=1)
        file.write("\n")
    return int(told["result"] == "failed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
