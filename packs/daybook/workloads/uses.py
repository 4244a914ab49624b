"""The check of a book with many accounts and postings."""

from daybook.amounts import Amount
from daybook.book import Book
from daybook.checks import check
from daybook.reader import Entries, Open, Posting, Transaction


def data(size, draw):
    return [[draw.randrange(2 * size), draw.randrange(1, 1000)] for _ in range(size)]


def work(numbers):
    opens = [Open(at, (2024, 1, 1), "assets:a%d" % at, []) for at in range(len(numbers))]
    postings = [Posting(at, "assets:a%d" % name, Amount(number, "EUR"), None, None)
                for at, (name, number) in enumerate(numbers)]
    entries = Entries({"EUR": 2}, opens, [], [Transaction(0, (2024, 1, 1), True, "p", "", [], postings)])
    return [[mistake.line, mistake.kind] for mistake in check(Book(entries))]
