"""Where many entries are split."""

from leafbook.nodes import middle


def data(size, draw):
    return [draw.randrange(1, 100) for _ in range(size)]


def work(sizes):
    return middle(sizes)
