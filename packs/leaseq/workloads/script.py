"""A script of many lines."""

from leaseq.script import read_script


def data(size, draw):
    return "".join("put j%d\n" % draw.randrange(10**6) for _ in range(size))


def work(text):
    return [[step.line, step.verb, step.words] for step in read_script(text)]
