"""A long value, written and read."""

import io

from leafbook.store import Store


def data(size, draw):
    return [draw.randrange(256), 117 * size - draw.randrange(100)]


def work(given):
    store = Store.create(io.BytesIO(), 128)
    store.put(b"k", bytes([given[0]]) * given[1])
    return len(store.get(b"k"))
