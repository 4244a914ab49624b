"""How the gate accepts tokens."""
import hmac

from services.common import clock, form, mac, ring


def verify(token, sender, now):
    """The payload of a token that came from `sender` when the gate's clock showed `now`; None if it is not accepted."""
    parts = form.parts(token)
    if parts is None:
        return None
    kid, named, tick, payload, given = parts
    if named != sender or kid.partition("-")[0] != sender:
        return None
    rows = [row for row in ring.load("gate") if row[0] == kid and row[1] == "accept"]
    if not any(ring.is_open(row, now) for row in rows):
        return None
    if not hmac.compare_digest(given, mac.tag(kid, sender, tick, payload)):
        return None
    age = clock.reference("gate", now) - clock.reference(sender, tick)
    return payload if 0 <= age <= clock.life(sender) else None
