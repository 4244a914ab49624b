"""Numbers as bytes, and checksums."""

PRIME = 4294967291
SUM_SIZE = 4


def pack(*fields):
    """Numbers as bytes: each field is `(number, size)`."""
    return b"".join(number.to_bytes(size, "big") for number, size in fields)


class Unpacker:
    """Reads numbers and bytes one after the other."""

    def __init__(self, data, at=0):
        self.data = data
        self.at = at

    def take(self, size):
        """The next bytes."""
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size):
        """The next number of so many bytes."""
        return int.from_bytes(self.take(size), "big")


def checksum(data):
    """The sum of all bytes, each times its place."""
    total = 0
    for place, byte in enumerate(data, 1):
        total += place * byte
    return total % PRIME


def sealed(data, page_size):
    """A page: the data, zeros, and the checksum."""
    body = data.ljust(page_size - SUM_SIZE, b"\0")
    return body + pack((checksum(body), SUM_SIZE))


def is_sealed(page):
    """Whether the checksum of a page is right."""
    return checksum(page[:-SUM_SIZE]) == Unpacker(page, len(page) - SUM_SIZE).number(SUM_SIZE)
