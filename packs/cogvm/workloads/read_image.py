"""An image with many cells from bytes, some copies of which are damaged."""

from cogvm.errors import ImageError
from cogvm.image import HEAD, Image, read_image, write_image


def data(size, draw):
    image = list(write_image(Image(b"\x00", [draw.randrange(-1000, 1000) for _ in range(size)], 0)))
    places = [draw.randrange(HEAD, len(image) - 2) for _ in range(8)]
    return [image, [[place, draw.choice([0, draw.randrange(1, 256)])] for place in places]]


def work(given):
    image, damages = given
    return [read_image(bytes(image)).cells, [is_whole(list(image), *damage) for damage in damages]]


def is_whole(image, place, more):
    image[place] = (image[place] + more) % 256
    try:
        read_image(bytes(image))
    except ImageError:
        return False
    return True
