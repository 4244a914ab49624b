"""The rate of the day."""

from common import peer, serve

DAY = int(peer("clock", "day"))
RATES = [int(line) for line in open("data/rates")]


def answer(word, rest):
    if word == "rate":
        return RATES[DAY % len(RATES)]


serve(answer)
