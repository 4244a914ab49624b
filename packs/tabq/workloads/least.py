"""The least of many values that fall, but for one."""

from tabq.engine import run
from tabq.parser import parse
from tabq.table import Table


def data(size, draw):
    numbers = sorted(draw.sample(range(10000000, 99999999), size), reverse=True)
    numbers.insert(draw.randrange(size // 2, size), numbers.pop())
    return ["v%d" % number for number in numbers]


def work(values):
    table = Table(["v"], [[value] for value in values])
    return run(parse("select min(v) from t"), table).rows
