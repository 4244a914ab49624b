"""An image with many cells from bytes."""

from cogvm.image import Image, read_image, write_image


def data(size, draw):
    return list(write_image(Image(b"\x00", [draw.randrange(-1000, 1000) for _ in range(size)], 0)))


def work(given):
    return read_image(bytes(given)).cells
