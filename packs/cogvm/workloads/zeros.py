"""Memory that is empty for long."""

from cogvm.disassembler import disassemble
from cogvm.image import Image


def data(size, draw):
    return [7, size + draw.randrange(size // 10), 9]


def work(given):
    first, zeros, last = given
    return disassemble(Image(b"\x00", [first] + [0] * zeros + [last], 0))
