"""Walks through keys in order."""

from leafbook.nodes import Inner


def forward(tree, first=None, end=None):
    """Keys with cells from `first` on, before `end`."""
    yield from _forward(tree, tree.pages.head.root, first, end)


def _forward(tree, number, first, end):
    node = tree.node(number)
    if isinstance(node, Inner):
        start = 0 if first is None else node.place(first)
        for at in range(start, len(node.children)):
            if end is not None and at > 0 and node.keys[at - 1] >= end:
                return
            yield from _forward(tree, node.children[at], first, end)
        return
    for key, cell in zip(node.keys, node.cells):
        if (first is None or key >= first) and (end is None or key < end):
            yield key, cell


def backward(tree, first=None, end=None):
    """The same from the end."""
    yield from _backward(tree, tree.pages.head.root, first, end)


def _backward(tree, number, first, end):
    node = tree.node(number)
    if isinstance(node, Inner):
        for at in range(len(node.children) - 1, -1, -1):
            if end is not None and at > 0 and node.keys[at - 1] >= end:
                continue
            yield from _backward(tree, node.children[at], first, end)
            if first is not None and at > 0 and node.keys[at - 1] <= first:
                return
        return
    for key, cell in zip(reversed(node.keys), reversed(node.cells)):
        if (first is None or key >= first) and (end is None or key < end):
            yield key, cell


def end_of_prefix(prefix):
    """The first key behind all that begin with a prefix; None if there is none."""
    while prefix and prefix[-1] == 255:
        prefix = prefix[:-1]
    if not prefix:
        return None
    return prefix[:-1] + bytes([prefix[-1] + 1])
