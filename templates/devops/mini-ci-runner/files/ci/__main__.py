"""python3 -m ci PIPELINE DIR REPORT [KEY=VALUE...], see docs/PIPELINE.md"""

import sys

sys.exit("ci: nothing runs yet")
