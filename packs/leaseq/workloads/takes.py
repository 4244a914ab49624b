"""Jobs taken from a long queue."""

from leaseq.clock import Clock
from leaseq.jobs import Job
from leaseq.limits import Limit
from leaseq.queue import Queue


def data(size, draw):
    return [draw.randrange(100) for _ in range(size)]


def work(numbers):
    queue = Queue(Clock())
    queue.limits.set("main", Limit(1000))
    for at, number in enumerate(numbers):
        queue.put(Job("j%d" % at, priority=number))
    return [queue.take("w").name for _ in range(240)]
