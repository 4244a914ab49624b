"""Finds what is wrong with a file."""

from collections import namedtuple

from leafbook.codec import is_sealed
from leafbook.errors import StoreError
from leafbook.nodes import Inner, decode
from leafbook.parts import chain

Finding = namedtuple("Finding", "page kind")


def check(store):
    """All findings, sorted. Changes must be committed before."""
    pages = store.pages
    broken = [number for number in range(pages.head.count) if not _is_whole(pages, number)]
    if broken:
        return [Finding(number, "checksum") for number in broken]
    walk = _Walk(pages)
    walk.node(pages.head.root, None, None, 1)
    walk.free()
    walk.finish()
    return sorted(set(walk.found))


def _is_whole(pages, number):
    page = pages.raw(number)
    return len(page) == pages.page_size and is_sealed(page)


class _Walk:
    """A way through all pages."""

    def __init__(self, pages):
        self.pages = pages
        self.found = []
        self.used = {0}
        self.depths = set()
        self.keys = 0

    def say(self, page, kind):
        self.found.append(Finding(page, kind))

    def use(self, number):
        """Notes that a page is used. Whether it was not before."""
        if number in self.used:
            self.say(number, "twice")
            return False
        self.used.add(number)
        return True

    def node(self, number, low, high, depth):
        """Looks at a node and all below it. Its keys are from `low` on and before `high`."""
        if not self.use(number):
            return
        try:
            node = decode(self.pages.read(number))
        except StoreError:
            self.say(number, "kind")
            return
        self.keys_of(number, node.keys, low, high)
        if isinstance(node, Inner):
            bounds = [low] + node.keys + [high]
            for at, child in enumerate(node.children):
                self.node(child, bounds[at], bounds[at + 1], depth + 1)
            return
        self.keys += len(node.keys)
        self.depths.add(depth)
        if len(self.depths) > 1:
            self.say(number, "depth")
        for cell in node.cells:
            if cell[0] == 1:
                self.long(number, cell)

    def keys_of(self, number, keys, low, high):
        """Looks at the keys of a node."""
        if any(first >= second for first, second in zip(keys, keys[1:])):
            self.say(number, "order")
        for key in keys:
            if (low is not None and key < low) or (high is not None and key >= high):
                self.say(number, "bounds")

    def long(self, number, cell):
        """Looks at a long value of a leaf."""
        try:
            parts = chain(self.pages, cell[2])
        except StoreError:
            self.say(number, "long")
            return
        for page, _ in parts:
            self.use(page)
        if sum(len(piece) for _, piece in parts) != cell[1]:
            self.say(number, "long")

    def free(self):
        """Looks at the free list."""
        try:
            for number in self.pages.free_pages():
                self.use(number)
        except StoreError:
            self.say(self.pages.head.free, "kind")

    def finish(self):
        """Looks at what is left."""
        for number in range(self.pages.head.count):
            if number not in self.used:
                self.say(number, "lost")
        if self.keys != self.pages.head.keys:
            self.say(0, "count")
