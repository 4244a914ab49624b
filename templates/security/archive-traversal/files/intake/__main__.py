"""python3 -m intake ARCHIVE DIRECTORY, in the top directory: prints the receipt; exit code 1 if the archive is refused."""
import json
import sys

from intake import accept

with open("etc/limits.json") as file:
    limits = json.load(file)
receipt = accept(sys.argv[1], sys.argv[2], limits)
print(json.dumps(receipt, sort_keys=True))
sys.exit(0 if receipt["ok"] else 1)
