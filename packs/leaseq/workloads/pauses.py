"""The pause after very many tries."""

from leaseq.pauses import Pause


def data(size, draw):
    first = draw.randrange(1, 100)
    return [first, first * draw.randrange(2, 10**6), size + draw.randrange(1000)]


def work(given):
    first, most, tries = given
    return [Pause("double", first, most).after(tries), Pause("linear", first, most).after(tries)]
