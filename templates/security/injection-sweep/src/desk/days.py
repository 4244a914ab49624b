"""Loans between two days."""
import re

DAY = re.compile("[0-9]{1,6}")


def between(db, first, last):
    if not (DAY.fullmatch(first) and DAY.fullmatch(last)):
        raise ValueError("a day is a number")
    rows = db.execute("SELECT id FROM loans WHERE day BETWEEN " + first + " AND " + last + " ORDER BY id")
    return [row[0] for row in rows]
