"""Finds what is wrong with a book."""

from daybook.amounts import Sum, format_quantity
from daybook.dates import format_date
from daybook.errors import Mistake


def check(book):
    """All mistakes, sorted by line."""
    found = _openings(book) + _transactions(book) + _uses(book) + _assertions(book) + _closings(book)
    return sorted(found)


def _openings(book):
    seen, found = set(), []
    for entry in book.opens:
        if entry.account in seen:
            found.append(Mistake(entry.line, "open-twice", entry.account))
        seen.add(entry.account)
    return found


def _transactions(book):
    """Transactions whose weights are not zero."""
    found = []
    for transaction in book.transactions:
        moves = [move for move in book.moves if move.transaction is transaction]
        total = Sum(move.weight for move in moves if move.weight is not None)
        if not total.is_zero():
            text = ", ".join(shown(amount, book.places) for amount in total.amounts())
            found.append(Mistake(transaction.line, "unbalanced", text))
    return found


def shown(amount, places):
    """An amount as text."""
    return "%s %s" % (format_quantity(amount.quantity, places[amount.commodity]), amount.commodity)


def lives(book):
    """From when to when accounts are open, and with which commodities; the first opening counts."""
    found = {}
    for entry in book.opens:
        found.setdefault(entry.account, [entry.day, None, entry.commodities])
    for entry in book.closes:
        if entry.account in found:
            found[entry.account][1] = entry.day
    return found


def _uses(book):
    """Postings to accounts that are not open, or do not allow the commodity."""
    known, found = lives(book), []
    for move in book.moves:
        day = move.transaction.day
        first, last, allowed = known.get(move.account, (None, None, []))
        if first is None or day < first or (last is not None and day > last):
            found.append(Mistake(move.line, "not-open", "%s on %s" % (move.account, format_date(day))))
        elif move.amount is not None and allowed and move.amount.commodity not in allowed:
            found.append(Mistake(move.line, "commodity", move.amount.commodity))
    return found


def _assertions(book):
    """Balances that are not what their postings say."""
    sums, found = {}, []
    for move in book.moves:
        own = sums.setdefault(move.account, Sum())
        if move.amount is not None:
            own.add(move.amount)
        if move.balance is None:
            continue
        actual = move.balance._replace(quantity=own.of(move.balance.commodity))
        if actual != move.balance:
            found.append(Mistake(move.line, "assertion", shown(actual, book.places)))
    return found


def _closings(book):
    """Accounts that are closed with a balance."""
    found = []
    for entry in book.closes:
        total = book.sums(last=entry.day).get(entry.account)
        if total is not None and not total.is_zero():
            text = ", ".join(shown(amount, book.places) for amount in total.amounts())
            found.append(Mistake(entry.line, "not-empty", text))
    return found
