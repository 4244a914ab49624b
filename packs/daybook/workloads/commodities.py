"""A sum of many commodities."""

from daybook.amounts import Amount, Sum


def data(size, draw):
    return [[draw.randrange(1, 1000), "C%d" % number] for number in range(size)]


def work(given):
    total = Sum(Amount(quantity, name) for quantity, name in given)
    return [[amount.quantity, amount.commodity] for amount in total.amounts()]
