"""The pages of a long value."""

import io

from leafbook.pages import PageFile
from leafbook.parts import chain, write_long


def data(size, draw):
    return [draw.randrange(256), size]


def work(given):
    pages = PageFile.create(io.BytesIO(), 128)
    first = write_long(pages, bytes([given[0]]) * (117 * given[1]))
    return [page for page, _ in chain(pages, first)]
