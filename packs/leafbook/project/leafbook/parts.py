"""Long values: chains of pages."""

from leafbook.codec import Unpacker, pack
from leafbook.errors import StoreError
from leafbook.pages import PART

#: The kind, the next part, and the length.
PART_HEAD = 7


def write_long(pages, value):
    """Writes a long value. Its first part."""
    size = pages.room - PART_HEAD
    pieces = [value[at : at + size] for at in range(0, len(value), size)]
    following = 0
    for piece in reversed(pieces):
        number = pages.allocate()
        pages.write(number, pack((PART, 1), (following, 4), (len(piece), 2)) + piece)
        following = number
    return following


def chain(pages, first):
    """The parts of a long value: `(page, bytes)`."""
    found, seen = [], set()
    while first:
        if first in seen:
            raise StoreError("page %d comes twice in a value" % first)
        seen.add(first)
        reader = Unpacker(pages.read(first))
        if reader.number(1) != PART:
            raise StoreError("page %d is no part of a value" % first)
        following = reader.number(4)
        found.append((first, reader.take(reader.number(2))))
        first = following
    return found


def read_long(pages, first):
    return b"".join(piece for _, piece in chain(pages, first))


def release_long(pages, first):
    """Gives all parts of a long value back."""
    for number, _ in chain(pages, first):
        pages.release(number)
