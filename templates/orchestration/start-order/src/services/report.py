"""Reports what was billed."""

from common import peer, serve

FIRST = peer("billing", "sum")
peer("mail", "ping")


def answer(word, rest):
    if word == "report":
        return peer("mail", "letter", "balance %s, was %s" % (peer("billing", "sum"), FIRST))
    if word == "bill":
        return peer("billing", "bill", rest)


serve(answer)
