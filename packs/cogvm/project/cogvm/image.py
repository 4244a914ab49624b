"""Programs as bytes."""

from collections import namedtuple

from cogvm.errors import ImageError
from cogvm.words import from_bytes, to_bytes, wrap

MAGIC = b"COGV\x01"
HEAD = len(MAGIC) + 6

#: `cells` is what the memory begins with, `entry` the place where the program begins.
Image = namedtuple("Image", "code cells entry")


def checksum(data):
    """Two bytes over all others."""
    total = 1
    for byte in data:
        total = (total * 31 + byte) & 0xFFFF
    return total


def write_image(image):
    """An image as bytes."""
    data = bytearray(MAGIC)
    for number in (image.entry, len(image.code), len(image.cells)):
        data += to_bytes(number, 2)
    data += image.code
    for cell in image.cells:
        data += to_bytes(cell, 4)
    return bytes(data) + to_bytes(checksum(data), 2)


def read_image(data):
    """An image from bytes."""
    if not data.startswith(MAGIC):
        raise ImageError("this is no image")
    if len(data) < HEAD:
        raise ImageError("the image is cut off")
    numbers = [from_bytes(data[at : at + 2]) for at in range(len(MAGIC), HEAD, 2)]
    entry, code_size, cell_count = numbers
    middle = HEAD + code_size
    end = middle + 4 * cell_count
    if len(data) < end + 2:
        raise ImageError("the image is cut off")
    if len(data) > end + 2:
        raise ImageError("something stands behind the image")
    if checksum(data[:end]) != from_bytes(data[end:]):
        raise ImageError("the checksum is wrong")
    if entry > code_size:
        raise ImageError("the entry lies outside of the code")
    cells = [wrap(from_bytes(data[at : at + 4])) for at in range(middle, end, 4)]
    return Image(bytes(data[HEAD:middle]), cells, entry)
