"""Groups of a table in which nearly every row has a group of its own."""

from tabq.engine import run
from tabq.parser import parse
from tabq.table import Table


def data(size, draw):
    return [["k%d" % draw.randrange(20 * size), draw.randrange(1000)] for _ in range(size)]


def work(rows):
    table = Table(["k", "v"], rows)
    found = run(parse("select k, count(*) from t group by k"), table)
    return [[key, str(count)] for key, count in found.rows]
