"""Books with double entry in plain text. See README.md."""

from daybook.book import Book
from daybook.checks import check
from daybook.errors import BookError, Mistake
from daybook.reader import read

__all__ = ["Book", "BookError", "Mistake", "check", "load", "read"]


def load(text):
    """The book that a text describes."""
    return Book(read(text))
