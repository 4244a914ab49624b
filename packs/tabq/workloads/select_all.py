"""Many columns of a table, some of which are selected twice."""

from tabq import nodes
from tabq.engine import run
from tabq.parser import parse
from tabq.table import Table


def data(size, draw):
    names = ["n%d" % number for number in range(size)]
    draw.shuffle(names)
    again = [draw.randrange(size // 2) for _ in range(20)]
    return [names, names + [names[at] for at in again]]


def work(given):
    names, wanted = given
    query = parse("select * from t")
    query.items = [nodes.Item(nodes.Column(name, None), name) for name in wanted]
    found = run(query, Table(names, [[name.upper() for name in names]]))
    return [found.columns, found.rows]
