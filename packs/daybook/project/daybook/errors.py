"""What can be wrong with a book."""

from collections import namedtuple

#: Something that `check` has found. `kind` is a word of README.md.
Mistake = namedtuple("Mistake", "line kind detail")


class BookError(Exception):
    """A text that cannot be read. `line` is from 1; 0 if it is no mistake of a line."""

    def __init__(self, line, message):
        super().__init__("line %d: %s" % (line, message) if line else message)
        self.line = line
        self.message = message
