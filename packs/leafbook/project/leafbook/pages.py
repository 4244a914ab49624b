"""A file of pages, with a head and a free list. Changes stay in memory until they are committed."""

from leafbook.codec import SUM_SIZE, Unpacker, is_sealed, pack, sealed
from leafbook.errors import StoreError

MAGIC = b"LEAFBOOK"
SMALLEST, LARGEST = 128, 32768
FREE, LEAF, INNER, PART = 0, 1, 2, 3


def is_page_size(size):
    """Whether pages may have a size: a power of two between two bounds."""
    return SMALLEST <= size <= LARGEST and size & (size - 1) == 0


class Head:
    """What page 0 says."""

    def __init__(self, page_size, count, free, root, keys):
        self.page_size = page_size
        self.count = count
        self.free = free
        self.root = root
        self.keys = keys

    def encode(self):
        numbers = [(number, 4) for number in (self.count, self.free, self.root, self.keys)]
        return MAGIC + pack((self.page_size, 2), *numbers)


def decode_head(data):
    """The head in the first bytes of a file."""
    if data[: len(MAGIC)] != MAGIC:
        raise StoreError("this is no leafbook")
    reader = Unpacker(data, len(MAGIC))
    size = reader.number(2)
    if not is_page_size(size):
        raise StoreError("the page size is wrong")
    return Head(size, *[reader.number(4) for _ in range(4)])


class PageFile:
    """Pages of a file that can be read, written and searched."""

    def __init__(self, file):
        self.file = file
        self.changed = {}
        self.head = None
        self.load()

    @classmethod
    def create(cls, file, page_size=1024):
        """A new file with an empty leaf as root."""
        if not is_page_size(page_size):
            raise StoreError("a page size is a power of two from %d to %d" % (SMALLEST, LARGEST))
        file.write(sealed(Head(page_size, 2, 0, 1, 0).encode(), page_size))
        file.write(sealed(pack((LEAF, 1), (0, 2)), page_size))
        return cls(file)

    def load(self):
        """Reads the head."""
        self.file.seek(0)
        start = self.file.read(SMALLEST)
        self.head = decode_head(start)

    @property
    def page_size(self):
        return self.head.page_size

    @property
    def room(self):
        """How many bytes a page has for its content."""
        return self.head.page_size - SUM_SIZE

    def raw(self, number):
        """A page as it is in the file."""
        self.file.seek(number * self.page_size)
        return self.file.read(self.page_size)

    def read(self, number):
        """The content of a page, changed or not."""
        if number in self.changed:
            return self.changed[number]
        if not 0 < number < self.head.count:
            raise StoreError("there is no page %d" % number)
        page = self.raw(number)
        if len(page) < self.page_size or not is_sealed(page):
            raise StoreError("page %d is broken" % number)
        return page[:-SUM_SIZE]

    def write(self, number, data):
        """Changes a page."""
        if len(data) > self.room:
            raise StoreError("page %d is too small" % number)
        self.changed[number] = data.ljust(self.room, b"\0")

    def allocate(self):
        """The number of a page to use: a free one, or a new one."""
        number = self.head.free
        if number:
            self.head.free = self.next_free(number)
            return number
        self.head.count += 1
        return self.head.count - 1

    def next_free(self, number):
        """The free page behind another one."""
        reader = Unpacker(self.read(number))
        if reader.number(1) != FREE:
            raise StoreError("page %d is not free" % number)
        return reader.number(4)

    def release(self, number):
        """Puts a page into the free list, in front."""
        self.write(number, pack((FREE, 1), (self.head.free, 4)))
        self.head.free = number

    def free_pages(self):
        """The pages of the free list. It ends where it would begin again."""
        found, number = [], self.head.free
        while number and number not in found:
            found.append(number)
            number = self.next_free(number)
        return found

    def commit(self):
        """Writes all changes. The number of pages that were written, without the head."""
        for number in sorted(self.changed):
            self.file.seek(number * self.page_size)
            self.file.write(sealed(self.changed[number], self.page_size))
        self.file.seek(0)
        self.file.write(sealed(self.head.encode(), self.page_size))
        self.file.flush()
        count = len(self.changed)
        self.changed = {}
        return count

    def rollback(self):
        """Forgets all changes."""
        self.changed = {}
        self.load()
