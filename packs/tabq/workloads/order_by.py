"""The rows of a table in order."""

from tabq.engine import run
from tabq.parser import parse
from tabq.table import Table


def data(size, draw):
    return [["k%d" % draw.randrange(size), "r%d" % number] for number in range(size)]


def work(rows):
    table = Table(["k", "r"], rows)
    return run(parse("select r from t order by k desc"), table).rows
