"""Names of entries."""
from intake.refused import Refused


def odd(text):
    """Whether a text has characters that no name may have."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\\" in text or any(ord(one) < 32 or ord(one) == 127 for one in text)


def parts(name, limits):
    """The parts of a name; None for the root of the archive."""
    if name == ".":
        return None
    if name.startswith("./"):
        name = name[2:]
    pieces = name.split("/")
    if odd(name) or ":" in pieces[0] or any(one in ("", ".", "..") for one in pieces):
        raise Refused("name")
    if len(name.encode()) > limits["name_bytes"] or len(pieces) > limits["depth"]:
        raise Refused("long")
    return tuple(pieces)
