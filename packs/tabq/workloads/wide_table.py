"""A table with many columns, made and read."""

from tabq.table import Table


def data(size, draw):
    names = ["Name%d" % number for number in range(size)]
    draw.shuffle(names)
    return names


def work(names):
    table = Table(names, [[number for number in range(len(names))]])
    return table.rows
