"""Reports as rows: lists of texts and sums."""

from daybook.accounts import tree
from daybook.amounts import Amount, Sum, rounded
from daybook.dates import format_date, format_month, month_length, months_between

EARNINGS = "equity:earnings"


def balance(book, top="", first=None, last=None):
    """Rows `(depth, name, sum)`; the last one is the sum of all, with an empty name."""
    sums, total = book.sums(top, first, last), Sum()
    for own in sums.values():
        total.add_all(own)
    rows = []
    for node in tree(sums, Sum):
        _rows(node, 0, "", rows)
    return rows + [(0, "", total)]


def _rows(node, depth, prefix, rows):
    """Adds the rows of an account. Those with a single account below them are joined with it."""
    name = prefix + node.name.rpartition(":")[2]
    below = [child for child in node.below if not is_empty(child)]
    if node.own.is_zero() and len(below) == 1:
        _rows(below[0], depth, name + ":", rows)
        return
    if is_empty(node):
        return
    rows.append((depth, name, node.total))
    for child in below:
        _rows(child, depth + 1, "", rows)


def is_empty(node):
    """Whether nothing is to be shown of an account and all below it."""
    return node.total.is_zero()


def register(book, top, first=None, last=None):
    """Rows `(day, payee, account, amount, sum so far)`."""
    rows, total = [], Sum()
    for move in book.select(top, first, last):
        total.add(move.amount)
        so_far = Sum(total.amounts())
        day = format_date(move.transaction.day)
        rows.append((day, move.transaction.payee, move.account, move.amount, so_far))
    return rows


def months(book, top):
    """Rows `(month, sum, average of three months)`."""
    sums = {}
    for move in book.select(top):
        sums.setdefault(move.transaction.day[:2], Sum()).add(move.amount)
    if not sums:
        return []
    rows, recent = [], []
    for month in months_between(min(sums), max(sums)):
        own = sums.get(month, Sum())
        recent = (recent + [own])[-3:]
        rows.append((format_month(month), own, average(recent)))
    return rows


def average(sums):
    """The average of some sums, by commodity."""
    total = Sum()
    for one in sums:
        total.add_all(one)
    return Sum(Amount(rounded(amount.quantity, len(sums)), amount.commodity) for amount in total.amounts())


def closing(book, year):
    """The postings that close a year: `(account, amount)`, those to the earnings at the end."""
    last = (year, 12, month_length(year, 12))
    postings, total = [], Sum()
    for top in ("income", "expenses"):
        sums = book.sums(top, last=last)
        for account in sorted(sums):
            for amount in sums[account].negated().amounts():
                postings.append((account, amount))
                total.add(amount)
    postings += [(EARNINGS, amount) for amount in total.negated().amounts()]
    return postings
