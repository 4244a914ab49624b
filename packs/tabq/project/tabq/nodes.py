"""The parts of a parsed query."""

from collections import namedtuple

Constant = namedtuple("Constant", "value")
Column = namedtuple("Column", "name at")
Unary = namedtuple("Unary", "operator operand")
Binary = namedtuple("Binary", "operator left right")
Call = namedtuple("Call", "name arguments at")
Among = namedtuple("Among", "operand choices")
#: `count(*)`
CountAll = namedtuple("CountAll", "at")

Item = namedtuple("Item", "expression name")
Order = namedtuple("Order", "expression descending")


class Query:
    """A query. `items` is None for `*`."""

    def __init__(self):
        self.distinct = False
        self.items = None
        self.where = None
        self.group = []
        self.having = None
        self.order = []
        self.limit = None
        self.offset = 0


def children(node):
    """The expressions directly below an expression."""
    if isinstance(node, Unary):
        return [node.operand]
    if isinstance(node, Binary):
        return [node.left, node.right]
    if isinstance(node, Call):
        return list(node.arguments)
    if isinstance(node, Among):
        return [node.operand] + list(node.choices)
    return []


def walk(node):
    """An expression and all below it, from the outside to the inside, left to right."""
    yield node
    for child in children(node):
        yield from walk(child)
