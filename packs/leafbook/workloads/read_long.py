"""A long value, written and read."""

import io
import zlib

from leafbook.store import Store


def data(size, draw):
    return [[draw.randrange(256) for _ in range(1009)], 117 * size - draw.randrange(100)]


def work(given):
    store = Store.create(io.BytesIO(), 128)
    piece, length = given
    store.put(b"k", (bytes(piece) * (length // len(piece) + 1))[:length])
    value = store.get(b"k")
    return [len(value), zlib.crc32(value)]
