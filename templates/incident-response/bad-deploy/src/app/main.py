"""One order a line (JSON) from standard input, one total a line to standard output."""

import json
import sys

from app.total import total

for text in sys.stdin:
    print(total(json.loads(text)))
