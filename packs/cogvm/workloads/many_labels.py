"""A source with many labels, one of which is there twice."""

from cogvm.assembler import assemble
from cogvm.errors import SourceError


def data(size, draw):
    names = ["l%d" % number for number in range(size)]
    draw.shuffle(names)
    again = names[draw.randrange(size // 2)]
    names.insert(draw.randrange(size - size // 10, size), again)
    return "".join("%s:\n" % name for name in names) + "    halt\n"


def work(text):
    try:
        return list(assemble(text).code)
    except SourceError as error:
        return error.line
