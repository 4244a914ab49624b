"""An image with much code as bytes."""

from cogvm.image import Image, write_image


def data(size, draw):
    return [draw.randrange(256) for _ in range(size)]


def work(code):
    return list(write_image(Image(bytes(code), [], 0)))
