"""The pages of a long value, the last of which leads back to one of them."""

import io

from leafbook.codec import pack
from leafbook.errors import StoreError
from leafbook.pages import PART, PageFile
from leafbook.parts import chain


def data(size, draw):
    return [draw.randrange(256), size, draw.randrange(size)]


def work(given):
    byte, size, back = given
    pages = PageFile.create(io.BytesIO(), 128)
    numbers = [pages.allocate() for _ in range(size)]
    for number, following in zip(numbers, numbers[1:] + [numbers[back]]):
        pages.write(number, pack((PART, 1), (following, 4), (1, 2)) + bytes([byte]))
    try:
        return [page for page, _ in chain(pages, numbers[0])]
    except StoreError as error:
        return str(error)
