"""All columns of a wide table, through a query."""

from tabq.engine import run
from tabq.parser import parse
from tabq.table import Table


def data(size, draw):
    names = ["n%d" % number for number in range(size)]
    draw.shuffle(names)
    return names


def work(names):
    table = Table(names, [[name.upper() for name in names]])
    found = run(parse("select * from t"), table)
    return [found.columns, found.rows]
