"""What users of the library see."""

from leafbook.errors import StoreError
from leafbook.pages import PageFile
from leafbook.scan import backward, end_of_prefix, forward
from leafbook.tree import Tree


class Store:
    """Keys and values in a file."""

    def __init__(self, pages):
        self.pages = pages
        self.tree = Tree(pages)

    @classmethod
    def create(cls, file, page_size=1024):
        """A store in a new file."""
        return cls(PageFile.create(file, page_size))

    @classmethod
    def open(cls, file):
        """A store in a file that has one."""
        return cls(PageFile(file))

    def __len__(self):
        return self.pages.head.keys

    def get(self, key, default=None):
        """The value of a key."""
        value = self.tree.get(key)
        return default if value is None else value

    def put(self, key, value):
        """Sets the value of a key. Whether the key is new."""
        most = self.pages.page_size // 8
        if not 1 <= len(key) <= most:
            raise StoreError("a key has 1 to %d bytes" % most)
        return self.tree.put(key, value)

    def delete(self, key):
        """Takes a key out. Whether it was there."""
        return self.tree.delete(key)

    def items(self, first=None, end=None, is_backward=False):
        """Keys with values from `first` on, before `end`."""
        walk = backward if is_backward else forward
        return [(key, self.tree.value(cell)) for key, cell in walk(self.tree, first, end)]

    def prefixed(self, prefix):
        """Keys with values that begin with a prefix."""
        return self.items(prefix, end_of_prefix(prefix))

    def commit(self):
        return self.pages.commit()

    def rollback(self):
        self.pages.rollback()

    def stats(self):
        """Figures: keys, pages, free pages, and the depth of the tree."""
        head = self.pages.head
        return {"keys": head.keys, "pages": head.count, "free": len(self.pages.free_pages()), "depth": self.tree.depth()}
