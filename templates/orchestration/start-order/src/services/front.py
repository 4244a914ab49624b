"""What customers see: every request begins with a token."""

from common import peer, serve

peer("report", "ping")
peer("auth", "ping")


def answer(word, rest):
    user = peer("auth", "check", word)
    what, _, more = rest.partition(" ")
    if what == "buy":
        return "%s: %s" % (user, peer("report", "bill", more))
    if what == "report":
        return "%s: %s" % (user, peer("report", "report"))


serve(answer)
