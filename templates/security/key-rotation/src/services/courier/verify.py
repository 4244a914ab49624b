"""How the courier accepts tokens."""
import hmac

from services.common import clock, form, mac, ring


def in_time(sender, tick, now):
    issued = clock.reference(sender, tick)
    return issued <= clock.reference("courier", now) <= issued + clock.life(sender)


def key_known(kid, now):
    for row in ring.load("courier"):
        if row[0] == kid and row[1] == "accept" and ring.is_open(row, now):
            return True
    return False


def verify(token, sender, now):
    """The payload of a token that came from `sender` when the courier's clock showed `now`; None if it is not accepted."""
    parts = form.parts(token)
    if not parts:
        return None
    kid, named, tick, payload, given = parts
    owner = kid.split("-")[0]
    if owner != sender or owner != named:
        return None
    if key_known(kid, now) and in_time(sender, tick, now) and hmac.compare_digest(given, mac.tag(kid, sender, tick, payload)):
        return payload
    return None
