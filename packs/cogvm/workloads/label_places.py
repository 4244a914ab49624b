"""A source in which each instruction has a label of its own."""

from cogvm.assembler import assemble


def data(size, draw):
    return "".join("l%d: push %d\n" % (number, 300 + draw.randrange(1000)) for number in range(size))


def work(text):
    return list(assemble(text).code)
