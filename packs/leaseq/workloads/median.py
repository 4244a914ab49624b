"""The median of many numbers."""

from leaseq.stats import median


def data(size, draw):
    return [draw.randrange(10 * size) for _ in range(size)]


def work(numbers):
    return median(numbers)
