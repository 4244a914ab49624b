"""Distinct rows of a table in which few rows are there twice."""

from tabq.engine import run
from tabq.parser import parse
from tabq.table import Table


def data(size, draw):
    rows = [[draw.randrange(10 * size), "x%d" % draw.randrange(10 * size)] for _ in range(size)]
    for _ in range(20):
        rows[draw.randrange(size // 2, size)] = rows[draw.randrange(size // 2)]
    return rows


def work(rows):
    table = Table(["a", "b"], [[str(number), text] for number, text in rows])
    return run(parse("select distinct a, b from t"), table).rows
