"""The news of a journal after each event."""

from leaseq.journal import Journal


def data(size, draw):
    return [draw.randrange(1000) for _ in range(size)]


def work(numbers):
    journal, found = Journal(), []
    for time, number in enumerate(numbers):
        journal.say(time, "take", "j%d" % number, number)
        found += journal.news()
    return found
