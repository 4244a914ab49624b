"""A book: transactions in order, with all amounts filled in."""

from collections import namedtuple

from daybook.accounts import is_below
from daybook.amounts import Amount, Sum, rounded

#: A posting with its transaction. `amount` is None if it cannot be found.
Move = namedtuple("Move", "line account amount weight balance transaction")


class Book:
    """What a text says, in the order of days."""

    def __init__(self, entries):
        self.places = entries.places
        self.opens = entries.opens
        self.closes = entries.closes
        self.transactions = sorted(entries.transactions, key=lambda one: one.day)
        self.moves = []
        for transaction in self.transactions:
            self.moves += filled(transaction, self.places)

    def select(self, top="", first=None, last=None):
        """The moves below an account, from the first day to the last one."""
        found = []
        for move in self.moves:
            day = move.transaction.day
            if top and not is_below(move.account, top):
                continue
            if first is not None and day < first:
                continue
            if last is not None and day > last:
                continue
            if move.amount is not None:
                found.append(move)
        return found

    def sums(self, top="", first=None, last=None):
        """The sums of accounts."""
        found = {}
        for move in self.select(top, first, last):
            found.setdefault(move.account, Sum()).add(move.amount)
        return found


def weight(posting, places):
    """What a posting counts in its transaction."""
    if posting.price is None:
        return posting.amount
    scale = 10 ** places[posting.amount.commodity]
    quantity = rounded(posting.amount.quantity * posting.price.quantity, scale)
    return Amount(quantity, posting.price.commodity)


def filled(transaction, places):
    """The postings of a transaction, with the amount that was left out."""
    total = Sum(weight(one, places) for one in transaction.postings if one.amount is not None)
    found = []
    for posting in transaction.postings:
        if posting.amount is not None:
            amount, own = posting.amount, weight(posting, places)
        else:
            missing = total.negated().amounts()
            amount = own = missing[0] if len(missing) == 1 else None
        found.append(Move(posting.line, posting.account, amount, own, posting.balance, transaction))
    return found
