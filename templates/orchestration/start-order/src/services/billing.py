"""Bills pieces at the rate of the day."""

from common import peer, serve

RATE = int(peer("rates", "rate"))
peer("ledger", "balance")


def answer(word, rest):
    if word == "bill":
        amount = int(rest) * RATE
        return "%d %s" % (amount, peer("ledger", "book", amount))
    if word == "sum":
        return peer("ledger", "balance")


serve(answer)
