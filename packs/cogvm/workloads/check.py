"""Long code with some jumps back."""

from cogvm.checker import check
from cogvm.image import Image


def data(size, draw):
    code = [0x02, 5] + [draw.choice([0x15, 0x19]) for _ in range(size)]
    for at in sorted(draw.sample(range(size - size // 10, size), 16), reverse=True):
        place, push = draw.randrange(2, min(size // 2, 65536)), [0x02, 7]
        jump = [0x31, place % 256, place // 256]
        code[at:at] = push + jump if draw.randrange(2) else jump + push
    return code + [draw.choice([0x00, 0x10])]


def work(code):
    return [[finding.at, finding.kind] for finding in check(Image(bytes(code), [], 0))]
