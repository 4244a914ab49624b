"""A sum of many commodities, some of which come to nothing."""

from daybook.amounts import Amount, Sum


def data(size, draw):
    amounts = [[draw.randrange(1, 1000), "C%d" % number] for number in range(size)]
    return amounts + [[-quantity, name] for quantity, name in draw.sample(amounts, 40)]


def work(given):
    total = Sum(Amount(quantity, name) for quantity, name in given)
    return [[amount.quantity, amount.commodity] for amount in total.amounts()]
