"""A query with many columns."""

from tabq.parser import parse


def data(size, draw):
    return "select " + ", ".join("c%d as d%d" % (draw.randrange(size), at) for at in range(size)) + " from t"


def work(text):
    return [[item.name, item.expression.name] for item in parse(text).items]
