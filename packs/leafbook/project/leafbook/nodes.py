"""Nodes of the tree, and how they stand in pages."""

from bisect import bisect_left, bisect_right

from leafbook.codec import Unpacker, pack
from leafbook.errors import StoreError
from leafbook.pages import INNER, LEAF


class Leaf:
    """Keys with cells. A cell is `(0, value)`, or `(1, length, first part)` for a long value."""

    def __init__(self, keys, cells):
        self.keys = keys
        self.cells = cells

    def place(self, key):
        """Where a key stands or would stand, and whether it is there."""
        at = bisect_left(self.keys, key)
        return at, at < len(self.keys) and self.keys[at] == key

    def sizes(self):
        """The bytes that each entry takes."""
        return [3 + len(key) + len(encode_cell(cell)) for key, cell in zip(self.keys, self.cells)]

    def encode(self):
        data = pack((LEAF, 1), (len(self.keys), 2))
        for key, cell in zip(self.keys, self.cells):
            data += pack((len(key), 2), (cell[0], 1)) + key + encode_cell(cell)
        return data

    def split(self, at):
        """Two leaves, and the key between them."""
        left, right = Leaf(self.keys[:at], self.cells[:at]), Leaf(self.keys[at:], self.cells[at:])
        return left, right.keys[0], right

    def joined(self, key, right):
        """One leaf of two neighbours."""
        return Leaf(self.keys + right.keys, self.cells + right.cells)


class Inner:
    """Keys between children."""

    def __init__(self, keys, children):
        self.keys = keys
        self.children = children

    def place(self, key):
        """Which child a key belongs to."""
        return bisect_right(self.keys, key)

    def sizes(self):
        """The bytes that each key takes with the child behind it."""
        return [6 + len(key) for key in self.keys]

    def encode(self):
        data = pack((INNER, 1), (len(self.keys), 2), (self.children[0], 4))
        for key, child in zip(self.keys, self.children[1:]):
            data += pack((len(key), 2)) + key + pack((child, 4))
        return data

    def split(self, at):
        """Two nodes, and the key between them, which is in none of them."""
        left = Inner(self.keys[:at], self.children[: at + 1])
        right = Inner(self.keys[at + 1 :], self.children[at + 1 :])
        return left, self.keys[at], right

    def joined(self, key, right):
        """One node of two neighbours and the key between them."""
        return Inner(self.keys + [key] + right.keys, self.children + right.children)


def encode_cell(cell):
    """A value, or where a long one is."""
    if cell[0] == 0:
        return pack((len(cell[1]), 2)) + cell[1]
    return pack((cell[1], 4), (cell[2], 4))


def decode(data):
    """The node in a page."""
    reader = Unpacker(data)
    kind, count = reader.number(1), reader.number(2)
    if kind == LEAF:
        return _decode_leaf(reader, count)
    if kind == INNER:
        return _decode_inner(reader, count)
    raise StoreError("this page is no node")


def _decode_leaf(reader, count):
    keys, cells = [], []
    for _ in range(count):
        size, mark = reader.number(2), reader.number(1)
        keys.append(reader.take(size))
        if mark:
            cells.append((1, reader.number(4), reader.number(4)))
        else:
            cells.append((0, reader.take(reader.number(2))))
    return Leaf(keys, cells)


def _decode_inner(reader, count):
    keys, children = [], [reader.number(4)]
    for _ in range(count):
        keys.append(reader.take(reader.number(2)))
        children.append(reader.number(4))
    return Inner(keys, children)


def middle(sizes):
    """Where entries are split: the left half is smaller than the half of all, each has at least one."""
    total, before = sum(sizes), 0
    for at, size in enumerate(sizes[:-1]):
        before += size
        if 2 * before >= total:
            return max(at, 1)
    return len(sizes) - 1
