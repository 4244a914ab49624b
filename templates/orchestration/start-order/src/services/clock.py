"""Tells the business day, which stands in DAY_FILE."""

import os

from common import serve

DAY = int(open(os.environ["DAY_FILE"]).read())
serve(lambda word, rest: DAY if word == "day" else None)
