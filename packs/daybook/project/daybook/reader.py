"""Reads the text of a book."""

import re
from collections import namedtuple

from daybook.accounts import is_account
from daybook.amounts import Amount, parse_quantity
from daybook.dates import parse_date
from daybook.errors import BookError

COMMODITY = re.compile(r"[A-Z]{1,8}\Z")
COMMENT = re.compile(r"(^|\s);.*")

#: What a text says. `places` are the decimal places of commodities.
Entries = namedtuple("Entries", "places opens closes transactions")
Open = namedtuple("Open", "line day account commodities")
Close = namedtuple("Close", "line day account")
Transaction = namedtuple("Transaction", "line day is_cleared payee note tags postings")
#: `amount` is None if it is left out; `price` and `balance` are None if there are none.
Posting = namedtuple("Posting", "line account amount price balance")


def read(text):
    """What a text says."""
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        line = COMMENT.sub("", line).rstrip()
        if line:
            reader.line(line, number)
    return reader.entries


class _Reader:
    def __init__(self):
        self.entries = Entries({}, [], [], [])

    def line(self, line, number):
        """Reads a line that is not empty."""
        words = line.split()
        if line[0].isspace():
            self.posting(words, number)
        elif words[0] == "commodity":
            self.commodity(words, number)
        elif words[0] == "open":
            day, account = self.day(words, number), self.account(words, 2, number)
            names = [self.known(name, number) for name in words[3:]]
            self.entries.opens.append(Open(number, day, account, names))
        elif words[0] == "close":
            if len(words) > 3:
                raise BookError(number, "%s was not expected" % words[3])
            day, account = self.day(words, number), self.account(words, 2, number)
            self.entries.closes.append(Close(number, day, account))
        else:
            self.entries.transactions.append(transaction(words, number))

    def commodity(self, words, number):
        """Reads how many places a commodity has."""
        if len(words) != 3 or not COMMODITY.match(words[1]):
            raise BookError(number, "commodity NAME PLACES was expected")
        if not words[2].isdigit() or int(words[2]) > 6:
            raise BookError(number, "places are from 0 to 6")
        if words[1] in self.entries.places:
            raise BookError(number, "%s is there already" % words[1])
        self.entries.places[words[1]] = int(words[2])

    def day(self, words, number):
        return day_of(words[1] if len(words) > 1 else "", number)

    def account(self, words, at, number):
        """The word at a place, which must be an account."""
        name = words[at] if len(words) > at else ""
        if not is_account(name):
            raise BookError(number, "an account was expected")
        return name

    def known(self, name, number):
        if name not in self.entries.places:
            raise BookError(number, "%s is no commodity" % (name or "nothing"))
        return name

    def posting(self, words, number):
        """Reads a posting of the last transaction."""
        if not self.entries.transactions:
            raise BookError(number, "a posting stands before the first transaction")
        account, rest = self.account(words, 0, number), words[1:]
        amount = price = balance = None
        if rest and rest[0] != "=":
            amount, rest = self.amount(rest, number), rest[2:]
        if amount is not None and rest and rest[0] == "@":
            price, rest = self.amount(rest[1:], number), rest[3:]
            if price.quantity < 0:
                raise BookError(number, "a price is not negative")
        if rest and rest[0] == "=":
            balance, rest = self.amount(rest[1:], number), rest[3:]
        if rest:
            raise BookError(number, "%s was not expected" % rest[0])
        postings = self.entries.transactions[-1].postings
        if amount is None and any(posting.amount is None for posting in postings):
            raise BookError(number, "two postings leave their amounts out")
        postings.append(Posting(number, account, amount, price, balance))

    def amount(self, words, number):
        """The amount at the start of some words."""
        commodity = self.known(words[1] if len(words) > 1 else "", number)
        quantity = parse_quantity(words[0], self.entries.places[commodity])
        if quantity is None:
            raise BookError(number, "%s is no number of %s" % (words[0], commodity))
        return Amount(quantity, commodity)


def day_of(text, number):
    """The day that a word stands for."""
    day = parse_date(text)
    if day is None:
        raise BookError(number, "a date was expected")
    return day


def transaction(words, number):
    """The first line of a transaction."""
    day = day_of(words[0], number)
    if len(words) < 2 or words[1] not in ("*", "!"):
        raise BookError(number, "* or ! was expected behind the date")
    tags = [word[1:] for word in words[2:] if word.startswith("#") and len(word) > 1]
    rest = [word for word in words[2:] if not (word.startswith("#") and len(word) > 1)]
    payee, _, note = " ".join(rest).partition("|")
    if not payee.strip():
        raise BookError(number, "a payee was expected")
    return Transaction(number, day, words[1] == "*", payee.strip(), note.strip(), tags, [])
