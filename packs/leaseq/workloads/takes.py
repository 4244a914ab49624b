"""Jobs taken from a long queue with limits."""

from leaseq.clock import Clock
from leaseq.jobs import Job
from leaseq.limits import Limit
from leaseq.queue import Queue


def data(size, draw):
    limits = [draw.randrange(10, 40) for _ in range(3)]
    return [limits, [[draw.randrange(100), draw.randrange(3)] for _ in range(size)]]


def work(given):
    limits, numbers = given
    queue = Queue(Clock())
    for topic, most in enumerate(limits):
        queue.limits.set("t%d" % topic, Limit(most))
    for at, (number, topic) in enumerate(numbers):
        queue.put(Job("j%d" % at, topic="t%d" % topic, priority=number))
    taken = [queue.take("w") for _ in range(120)]
    return [job.name if job else None for job in taken]
