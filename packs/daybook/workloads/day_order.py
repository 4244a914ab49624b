"""A book of many transactions that are not in order."""

from daybook.amounts import Amount
from daybook.book import Book
from daybook.reader import Entries, Posting, Transaction


def data(size, draw):
    return [[draw.randrange(1, 9999), draw.randrange(1, 13), number] for number in range(size)]


def work(days):
    postings = [Posting(1, "assets:cash", Amount(5, "EUR"), None, None)]
    entries = Entries({"EUR": 2}, [], [], [])
    for year, month, number in days:
        entries.transactions.append(Transaction(number, (year, month, 1), True, "p", "", [], postings))
    return [move.transaction.line for move in Book(entries).moves]
