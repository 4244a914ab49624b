"""Writes letters."""

import signal
import sys

from common import peer, serve

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
SENDER = peer("store", "get", "sender")
DAY = peer("clock", "day")


def answer(word, rest):
    if word == "letter":
        return "from %s, day %s: %s" % (SENDER, DAY, rest)


serve(answer)
