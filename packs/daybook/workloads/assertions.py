"""The check of a book with many balances."""

from daybook.amounts import Amount
from daybook.book import Book
from daybook.checks import check
from daybook.reader import Entries, Open, Posting, Transaction


def data(size, draw):
    return [draw.randrange(1, 100) for _ in range(size)]


def work(numbers):
    total, postings = 0, []
    for at, number in enumerate(numbers):
        total += number
        balance = Amount(total + (number == 50), "EUR")
        postings.append(Posting(at, "assets:cash", Amount(number, "EUR"), None, balance))
    opens = [Open(0, (2024, 1, 1), "assets:cash", [])]
    entries = Entries({"EUR": 2}, opens, [], [Transaction(0, (2024, 1, 1), True, "p", "", [], postings)])
    return [[mistake.line, mistake.kind] for mistake in check(Book(entries))]
