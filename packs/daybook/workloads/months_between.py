"""Many months in a row."""

from daybook.dates import months_between


def data(size, draw):
    year = draw.randrange(1, 1000)
    return [year, draw.randrange(1, 13), year + size // 12, draw.randrange(1, 13)]


def work(given):
    return months_between((given[0], given[1]), (given[2], given[3]))
