"""A source with many labels."""

from cogvm.assembler import assemble


def data(size, draw):
    names = ["l%d" % number for number in range(size)]
    draw.shuffle(names)
    return "".join("%s:\n" % name for name in names) + "    halt\n"


def work(text):
    return list(assemble(text).code)
