"""The figures of two stores, while they change."""

import base64
import io

from leafbook.nodes import Inner, Leaf
from leafbook.pages import PageFile
from leafbook.store import Store
from leafbook.tree import Tree


def made(size, draw):
    """A file with many keys, as text. Its nodes are laid level by level, because single puts take long. The
    size is a power of two, so that each node has several children. Some nodes with one child are above them."""
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
    for _ in range(draw.randrange(8)):
        level.append((b"", pages.allocate()))
        tree.keep(level[-1][1], Inner([], [level.pop(0)[1]]))
    pages.head.root, pages.head.keys = level[0][1], size
    pages.commit()
    return base64.b64encode(file.getvalue()).decode()


def opened(text):
    return Store.open(io.BytesIO(base64.b64decode(text)))


def data(size, draw):
    return [[made(size, draw) for _ in range(2)], [draw.randrange(size) for _ in range(1200)]]


def work(given):
    stores, found = [opened(text) for text in given[0]], []
    for number in given[1]:
        store = stores[number % 2]
        store.put(b"k%08d" % number, b"other")
        found.append(store.tree.depth())
    return found
