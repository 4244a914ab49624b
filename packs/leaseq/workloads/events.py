"""A journal of many events."""

from leaseq.journal import Journal


def data(size, draw):
    return [draw.randrange(1000) for _ in range(size)]


def work(numbers):
    journal = Journal()
    for time, number in enumerate(numbers):
        journal.say(time // 7, "put", "j%d" % number)
    return journal.news()
