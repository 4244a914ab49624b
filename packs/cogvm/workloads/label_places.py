"""A source in which each instruction has a label of its own."""

from cogvm.assembler import assemble


def data(size, draw):
    operands = [draw.choice(["%d", "l%d"]) % (300 + draw.randrange(size - 300)) for _ in range(size)]
    return "".join("l%d: push %s\n" % (number, operand) for number, operand in enumerate(operands))


def work(text):
    return list(assemble(text).code)
