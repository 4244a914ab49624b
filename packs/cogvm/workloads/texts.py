"""Memory with a long text."""

from cogvm.disassembler import disassemble
from cogvm.image import Image


def data(size, draw):
    return [draw.randrange(32, 127) for _ in range(size)]


def work(letters):
    return disassemble(Image(b"\x00", letters + [0], 0))
