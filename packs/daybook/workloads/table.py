"""A table of many rows."""

from daybook.render import table


def data(size, draw):
    rows = [["x" * draw.randrange(1, 9), str(draw.randrange(10**6)), "y"] for _ in range(size)]
    for at in range(3):
        rows[draw.randrange(size)][at] += "z" * draw.randrange(10, 40)
    return rows


def work(rows):
    return table([tuple(row) for row in rows], right=(1,))
