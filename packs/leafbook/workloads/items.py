"""Short ranges of a store with many keys."""

import base64
import io

from leafbook.nodes import Inner, Leaf
from leafbook.pages import PageFile
from leafbook.store import Store
from leafbook.tree import Tree


def made(size, draw):
    """A file with many keys, as text. Its nodes are laid level by level, because single puts take long. The
    size is a power of two, so that each node has several children."""
    file = io.BytesIO()
    pages = PageFile.create(file, 128)
    tree, level = Tree(pages), []
    for first in range(0, size, 4):
        number = pages.allocate() if level else pages.head.root
        keys = [b"k%08d" % key for key in range(first, first + 4)]
        tree.keep(number, Leaf(keys, [(0, b"v%d" % draw.randrange(1000)) for _ in keys]))
        level.append((keys[0], number))
    while len(level) > 1:
        parts, level = [level[at : at + 4] for at in range(0, len(level), 4)], []
        for part in parts:
            level.append((part[0][0], pages.allocate()))
            tree.keep(level[-1][1], Inner([key for key, _ in part[1:]], [number for _, number in part]))
    pages.head.root, pages.head.keys = level[0][1], size
    pages.commit()
    return base64.b64encode(file.getvalue()).decode()


def opened(text):
    return Store.open(io.BytesIO(base64.b64decode(text)))


def data(size, draw):
    return [made(size, draw), [draw.randrange(size) for _ in range(1500)]]


def work(given):
    store = opened(given[0])
    found = [store.items(b"k%08d" % number, b"k%08d" % (number + 3)) for number in given[1]]
    return [[[key.decode(), value.decode()] for key, value in part] for part in found]
