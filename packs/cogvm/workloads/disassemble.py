"""Code with some jumps as a source."""

from cogvm.disassembler import disassemble
from cogvm.image import Image


def data(size, draw):
    code = []
    for _ in range(size):
        place = 3 * draw.randrange(size)
        code += [0x30 + draw.randrange(3), place % 256, place // 256]
    return code


def work(code):
    return disassemble(Image(bytes(code), [], 0))
