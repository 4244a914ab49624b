"""Many jobs that wait for one."""

from leaseq.graph import Graph
from leaseq.jobs import Job


def data(size, draw):
    return [draw.randrange(100000) for _ in range(size)]


def work(numbers):
    graph = Graph()
    for number in numbers:
        graph.add(Job("f%d" % number, after=["first"]))
    return [job.name for job in graph.followers("first")]
