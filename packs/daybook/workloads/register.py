"""The register of an account with many postings."""

from daybook.amounts import Amount
from daybook.book import Book
from daybook.reader import Entries, Posting, Transaction
from daybook.reports import register


def data(size, draw):
    return [draw.randrange(1, 1000) for _ in range(size)]


def work(numbers):
    postings = [Posting(1, "assets:cash", Amount(number, "EUR"), None, None) for number in numbers]
    entries = Entries({"EUR": 2}, [], [], [Transaction(1, (2024, 1, 1), True, "p", "", [], postings)])
    return [row[4].of("EUR") for row in register(Book(entries), "assets")]
