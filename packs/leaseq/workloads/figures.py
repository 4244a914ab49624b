"""The figures of a queue with many jobs."""

from types import SimpleNamespace

from leaseq.jobs import Job
from leaseq.stats import stats


def data(size, draw):
    return [draw.randrange(10 * size) for _ in range(size)]


def work(numbers):
    jobs = {}
    for at, number in enumerate(numbers):
        jobs[at] = Job("j%d" % at)
        jobs[at].first_wait = number
    found = stats(SimpleNamespace(jobs=jobs))
    return [found.counts, found.median, found.longest]
