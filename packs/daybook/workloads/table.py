"""A table of many rows."""

from daybook.render import table


def data(size, draw):
    return [["x" * draw.randrange(1, 9), str(draw.randrange(10**6)), "y"] for _ in range(size)]


def work(rows):
    return table([tuple(row) for row in rows], right=(1,))
