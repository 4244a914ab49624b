"""Tokens as docs/TOKENS.md has them, for any service."""
import hashlib
import hmac
import re


def rows(path):
    with open(path) as file:
        return [line.split("#")[0].split() for line in file if line.split("#")[0].split()]


def clocks():
    return {name: (int(offset), int(life)) for name, offset, life in rows("etc/services.tsv")}


def may(service, use, now):
    """The kids that the service may use now."""
    far = 10 ** 12
    return [kid for kid, what, first, last in rows("rings/%s.ring" % service)
            if what == use and (-far if first == "-" else int(first)) <= now <= (far if last == "-" else int(last))]


def seal(kid, sender, tick, payload):
    with open("keys/%s.key" % kid) as file:
        key = file.read().rstrip("\n").encode()
    return hmac.new(key, ("%s|%s|%s|%s" % (kid, sender, tick, payload)).encode(), hashlib.sha256).hexdigest()


def accept(service, token, sender, now):
    match = re.fullmatch(r"(([a-z]+)-[0-9]+)\.([a-z]+)\.(0|[1-9][0-9]{0,8})\.(([0-9a-f]{2})*)\.([0-9a-f]{64})", token)
    if not match or match[2] != sender or match[3] != sender or match[1] not in may(service, "accept", now):
        return None
    known = clocks()
    age = (now - known[service][0]) - (int(match[4]) - known[sender][0])
    if age < 0 or age > known[sender][1] or seal(match[1], sender, match[4], match[5]) != match[7]:
        return None
    return match[5]


def issue(service, payload, now):
    kids = sorted(may(service, "sign", now), key=lambda kid: int(kid.split("-")[1]))
    return "%s.%s.%d.%s.%s" % (kids[-1], service, now, payload, seal(kids[-1], service, now, payload)) if kids else None
