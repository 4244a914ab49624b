"""The tree: finding, putting and deleting keys."""

from leafbook.nodes import Inner, Leaf, decode, middle
from leafbook.parts import read_long, release_long, write_long


class Tree:
    """A tree over pages."""

    def __init__(self, pages):
        self.pages = pages

    def node(self, number):
        return decode(self.pages.read(number))

    def keep(self, number, node):
        self.pages.write(number, node.encode())

    def is_long(self, value):
        return len(value) > self.pages.page_size // 8

    def fits(self, node):
        return len(node.encode()) <= self.pages.room

    def is_small(self, node):
        return sum(node.sizes()) < self.pages.page_size // 4

    def path(self, key):
        """The way to the leaf of a key: `(page, node, child)`, and the leaf as `(page, node)`."""
        way, number = [], self.pages.head.root
        node = self.node(number)
        while isinstance(node, Inner):
            at = node.place(key)
            way.append((number, node, at))
            number = node.children[at]
            node = self.node(number)
        return way, number, node

    def value(self, cell):
        """The value that a cell stands for."""
        return cell[1] if cell[0] == 0 else read_long(self.pages, cell[2])

    def get(self, key):
        """The value of a key; None if it is not there."""
        _, _, leaf = self.path(key)
        at, is_there = leaf.place(key)
        return self.value(leaf.cells[at]) if is_there else None

    def put(self, key, value):
        """Sets the value of a key. Whether the key is new."""
        way, number, leaf = self.path(key)
        at, is_there = leaf.place(key)
        if is_there:
            self.release(leaf.cells[at])
            del leaf.keys[at], leaf.cells[at]
        else:
            self.pages.head.keys += 1
        leaf.keys.insert(at, key)
        leaf.cells.insert(at, self.cell(value))
        self.grow(way, number, leaf)
        # A shorter value may leave too little in the leaf.
        if is_there and self.is_small(leaf):
            self.shrink(way, number, leaf)
        return not is_there

    def cell(self, value):
        """The cell of a new value."""
        if self.is_long(value):
            return (1, len(value), write_long(self.pages, value))
        return (0, value)

    def release(self, cell):
        if cell[0] == 1:
            release_long(self.pages, cell[2])

    def grow(self, way, number, node):
        """Keeps a node that may have become too large."""
        if self.fits(node):
            self.keep(number, node)
            return
        left, key, right = node.split(middle(node.sizes()))
        other = self.pages.allocate()
        self.keep(number, left)
        self.keep(other, right)
        if not way:
            root = self.pages.allocate()
            self.keep(root, Inner([key], [number, other]))
            self.pages.head.root = root
            return
        above, parent, at = way[-1]
        parent.keys.insert(at, key)
        parent.children.insert(at + 1, other)
        self.grow(way[:-1], above, parent)

    def delete(self, key):
        """Takes a key out. Whether it was there."""
        way, number, leaf = self.path(key)
        at, is_there = leaf.place(key)
        if not is_there:
            return False
        self.release(leaf.cells[at])
        del leaf.keys[at], leaf.cells[at]
        self.pages.head.keys -= 1
        self.keep(number, leaf)
        self.shrink(way, number, leaf)
        return True

    def shrink(self, way, number, node):
        """Joins a node that has become too small with a neighbour."""
        if not way:
            self.lower(number, node)
            return
        if not self.is_small(node):
            return
        above, parent, at = way[-1]
        left = min(at, len(parent.keys) - 1)
        self.join(parent, left)
        if self.fits(parent):
            self.keep(above, parent)
            self.shrink(way[:-1], above, parent)
        else:
            self.grow(way[:-1], above, parent)

    def join(self, parent, at):
        """Makes one node of two children, or splits them anew."""
        left, right = parent.children[at], parent.children[at + 1]
        node = self.node(left).joined(parent.keys[at], self.node(right))
        if self.fits(node):
            self.keep(left, node)
            self.pages.release(right)
            del parent.keys[at], parent.children[at + 1]
            return
        first, parent.keys[at], second = node.split(middle(node.sizes()))
        self.keep(left, first)
        self.keep(right, second)

    def lower(self, number, node):
        """A root without keys gives its place to its child."""
        if isinstance(node, Leaf) or node.keys:
            return
        self.pages.head.root = node.children[0]
        self.pages.release(number)

    def depth(self):
        """How many nodes are on the way to a leaf."""
        way, _, _ = self.path(b"")
        return len(way) + 1
