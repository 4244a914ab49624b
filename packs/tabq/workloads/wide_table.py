"""A table with many columns, one of which is there twice."""

from tabq.errors import QueryError
from tabq.table import Table


def data(size, draw):
    names = ["Name%d" % number for number in range(size)]
    draw.shuffle(names)
    names.insert(draw.randrange(size - size // 10, size), names[draw.randrange(size // 2)].upper())
    return names


def work(names):
    try:
        return Table(names, [[number for number in range(len(names))]]).rows
    except QueryError as error:
        return str(error)
