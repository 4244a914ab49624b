"""The check of a book that opens many accounts."""

from daybook.book import Book
from daybook.checks import check
from daybook.reader import Entries, Open


def data(size, draw):
    return [draw.randrange(20 * size) for _ in range(size)]


def work(numbers):
    opens = [Open(at, (2024, 1, 1), "assets:a%d" % number, []) for at, number in enumerate(numbers, 1)]
    return [[mistake.line, mistake.kind] for mistake in check(Book(Entries({}, opens, [], [])))]
