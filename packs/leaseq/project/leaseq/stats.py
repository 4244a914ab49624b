"""Figures of a queue."""

from collections import namedtuple

from leaseq.clock import format_duration
from leaseq.jobs import STATES

#: `counts` are those of states; `median` and `longest` are None if no job was taken.
Stats = namedtuple("Stats", "counts median longest")


def stats(queue):
    """The figures of a queue."""
    counts = {state: 0 for state in STATES}
    waits = []
    for job in queue.jobs.values():
        counts[job.state] += 1
        if job.first_wait is not None:
            waits.append(job.first_wait)
    if not waits:
        return Stats(counts, None, None)
    return Stats(counts, median(waits), max(waits))


def median(numbers):
    """The number in the middle; the lower one of two."""
    ordered = sorted(numbers)
    return ordered[(len(ordered) - 1) // 2]


def stats_text(found):
    """Figures in one line. States without jobs are left out."""
    words = ["%s=%d" % (state, found.counts[state]) for state in STATES if found.counts[state]]
    if found.median is not None:
        words.append("median=%s" % format_duration(found.median))
        words.append("longest=%s" % format_duration(found.longest))
    return " ".join(words) or "no jobs"
