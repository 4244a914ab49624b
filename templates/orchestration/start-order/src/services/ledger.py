"""Books amounts, in the name of the user whose token it has."""

import os

from common import peer, serve

USER = peer("auth", "check", os.environ["TOKEN"])
START = int(peer("store", "get", "balance"))
BOOKED = []


def answer(word, rest):
    if word == "book":
        BOOKED.append(int(rest))
        return "booked by %s" % USER
    if word == "balance":
        return START + sum(BOOKED)


serve(answer)
