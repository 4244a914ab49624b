"""How the vault signs."""
from services.common.mac import tag
from services.common.ring import is_open, load


def sign(payload, now):
    """A token of the vault, at a tick of its own clock; None if it has no key for that."""
    best = None
    for kid, use, first, last in load("vault"):
        if use != "sign" or not is_open((kid, use, first, last), now):
            continue
        number = int(kid.split("-")[1])
        if best is None or number > best[0]:
            best = (number, kid)
    if best is None:
        return None
    return ".".join([best[1], "vault", str(now), payload, tag(best[1], "vault", now, payload)])
