"""The sums of many months."""

from daybook.amounts import Amount
from daybook.book import Book
from daybook.reader import Entries, Posting, Transaction
from daybook.reports import months


def data(size, draw):
    return [[number, draw.randrange(1, 1000)] for number in range(size)]


def work(numbers):
    entries = Entries({"EUR": 2}, [], [], [])
    for number, quantity in numbers:
        day = (1 + number // 12, 1 + number % 12, 1)
        postings = [Posting(1, "assets:cash", Amount(quantity, "EUR"), None, None)]
        entries.transactions.append(Transaction(1, day, True, "p", "", [], postings))
    return [[month, own.of("EUR"), mean.of("EUR")] for month, own, mean in months(Book(entries), "assets")]
