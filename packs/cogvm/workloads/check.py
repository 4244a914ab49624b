"""Long code without a way out."""

from cogvm.checker import check
from cogvm.image import Image


def data(size, draw):
    return [0x02, 5] + [draw.choice([0x15, 0x19]) for _ in range(size)] + [draw.choice([0x00, 0x10])]


def work(code):
    return [[finding.at, finding.kind] for finding in check(Image(bytes(code), [], 0))]
