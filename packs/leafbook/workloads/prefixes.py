"""Keys with prefixes in a store with many keys."""

import base64
import io

from leafbook.store import Store


def made(size, draw):
    """A file with many keys, as text."""
    file = io.BytesIO()
    store = Store.create(file, 128)
    for number in draw.sample(range(size), size):
        store.put(b"k%08d" % number, b"v%d" % draw.randrange(1000))
    store.commit()
    return base64.b64encode(file.getvalue()).decode()


def opened(text):
    return Store.open(io.BytesIO(base64.b64decode(text)))


def data(size, draw):
    return [made(size, draw), [draw.randrange(size) for _ in range(1200)]]


def work(given):
    store = opened(given[0])
    found = [store.prefixed(b"k%07d" % (number // 10)) for number in given[1]]
    return [[[key.decode(), value.decode()] for key, value in part] for part in found]
