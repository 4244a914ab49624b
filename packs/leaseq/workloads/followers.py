"""Jobs that wait for many others."""

from leaseq.graph import Graph
from leaseq.jobs import Job


def data(size, draw):
    return draw.sample(range(size), size)


def work(numbers):
    graph = Graph()
    for at, number in enumerate(numbers):
        graph.add(Job("f%d" % at, after=["j%d" % number]))
    return [[job.name for job in graph.followers("j%d" % number)] for number in range(len(numbers))]
