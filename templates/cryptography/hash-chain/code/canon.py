"""The bytes of an entry, and the hashes that are made of them."""

import hashlib

FIELDS = {{ fields | tojson }}
SIZE = 32


def digest(data):
    return hashlib.{{ algorithm }}(data).digest()


def entry_bytes(entry):
    out = b""
    for name in FIELDS:
        raw = str(entry[name]).encode("utf-8")
        out += len(raw).to_bytes(4, "big") + raw
    return out


def leaf(entry):
    return digest(b"\x{{ marks[0] }}" + entry_bytes(entry))


def node(left, right):
    return digest(b"\x{{ marks[1] }}" + left + right)


def link(previous, content):
    """The next link of the chain: `content` is a leaf or the root of a checkpoint."""
    return digest(b"\x{{ marks[2] }}" + previous + content)
