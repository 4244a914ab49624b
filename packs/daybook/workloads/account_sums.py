"""The sums of many accounts."""

from daybook.amounts import Amount
from daybook.book import Book
from daybook.reader import Entries, Posting, Transaction


def data(size, draw):
    return [[draw.randrange(2 * size), draw.randrange(1, 1000)] for _ in range(size)]


def work(numbers):
    postings = [Posting(1, "assets:a%d" % name, Amount(number, "EUR"), None, None) for name, number in numbers]
    entries = Entries({"EUR": 2}, [], [], [Transaction(1, (2024, 1, 1), True, "p", "", [], postings)])
    return [[name, own.of("EUR")] for name, own in Book(entries).sums().items()]
