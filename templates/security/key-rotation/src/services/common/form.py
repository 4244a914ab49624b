"""The form of tokens."""
import re

FORM = re.compile("([a-z]+-[0-9]+)[.]([a-z]+)[.](0|[1-9][0-9]{0,8})[.]((?:[0-9a-f][0-9a-f])*)[.]([0-9a-f]{64})")


def parts(token):
    """(kid, sender, tick, payload, mac), or None if it is no token."""
    found = FORM.fullmatch(token)
    return found and (found[1], found[2], int(found[3]), found[4], found[5])
