"""Distinct rows of a table in which few rows are there twice."""

from tabq.engine import run
from tabq.parser import parse
from tabq.table import Table


def data(size, draw):
    return [[draw.randrange(10 * size), "x%d" % draw.randrange(10 * size)] for _ in range(size)]


def work(rows):
    table = Table(["a", "b"], [[str(number), text] for number, text in rows])
    return run(parse("select distinct a, b from t"), table).rows
