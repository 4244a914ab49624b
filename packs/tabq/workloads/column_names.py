"""All columns of a wide table by their names."""

from tabq.table import Table


def data(size, draw):
    names = ["Name%d" % number for number in range(size)]
    wanted = [name.upper() for name in names]
    draw.shuffle(wanted)
    return [names, wanted]


def work(given):
    names, wanted = given
    table = Table(names, [range(len(names))])
    return [table.place(name) for name in wanted]
