"""How the vault accepts tokens."""
from hmac import compare_digest

from services.common.clock import life, reference
from services.common.form import parts
from services.common.mac import tag
from services.common.ring import is_open, load


class Refused(Exception):
    pass


def demand(held):
    if not held:
        raise Refused


def checked(token, sender, now):
    found = parts(token)
    demand(found)
    kid, named, tick, payload, given = found
    demand(named == sender)
    demand(kid.split("-")[0] == sender)
    row = [one for one in load("vault") if one[:2] == (kid, "accept") and is_open(one, now)]
    demand(row)
    demand(compare_digest(given, tag(kid, sender, tick, payload)))
    age = reference("vault", now) - reference(sender, tick)
    demand(age >= 0)
    demand(age <= life(sender))
    return payload


def verify(token, sender, now):
    """The payload of a token that came from `sender` when the vault's clock showed `now`; None if it is not accepted."""
    try:
        return checked(token, sender, now)
    except Refused:
        return None
