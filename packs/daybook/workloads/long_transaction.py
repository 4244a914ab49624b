"""A transaction with many postings."""

from daybook.amounts import Amount
from daybook.book import Book
from daybook.reader import Entries, Posting, Transaction


def data(size, draw):
    return [draw.randrange(1, 100000) for _ in range(size)]


def work(numbers):
    postings = [Posting(at, "assets:cash", Amount(number, "EUR"), None, None) for at, number in enumerate(numbers)]
    postings.append(Posting(0, "equity:start", None, None, None))
    entries = Entries({"EUR": 2}, [], [], [Transaction(1, (2024, 1, 1), True, "p", "", [], postings)])
    return [move.amount.quantity for move in Book(entries).moves]
