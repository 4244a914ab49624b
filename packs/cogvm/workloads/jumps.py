"""Code that is full of jumps as a source."""

from cogvm.disassembler import targets
from cogvm.image import Image


def data(size, draw):
    code = []
    for _ in range(size):
        place = 3 * draw.randrange(min(size, 21000))
        code += [0x30, place % 256, place // 256]
    return code


def work(code):
    return sorted(targets(Image(bytes(code), [], 0)))
