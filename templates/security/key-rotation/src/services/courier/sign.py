"""How the courier signs."""
from services.common import mac, ring


def ready(now):
    """The numbers of the keys that may sign now."""
    for row in ring.load("courier"):
        if row[1] == "sign" and ring.is_open(row, now):
            yield int(row[0].split("-")[1])


def sign(payload, now):
    """A token of the courier, at a tick of its own clock; None if it has no key for that."""
    number = max(ready(now), default=None)
    if number is None:
        return None
    kid = "courier-%d" % number
    return "%s.courier.%d.%s.%s" % (kid, now, payload, mac.tag(kid, "courier", now, payload))
