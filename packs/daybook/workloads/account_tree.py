"""The tree of many accounts."""

from daybook.accounts import tree
from daybook.amounts import Amount, Sum


def data(size, draw):
    return ["assets:a%d" % number for number in draw.sample(range(10 * size), size)]


def work(names):
    sums = {name: Sum([Amount(len(name), "EUR")]) for name in names}
    return [[[node.name, node.total.of("EUR")] for node in top.below] for top in tree(sums, Sum)]
