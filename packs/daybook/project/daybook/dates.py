"""Days and months, as `(year, month, day)` and `(year, month)`."""

import re

DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})\Z")
LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def is_leap(year):
    """Whether a year has a 29th of February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_length(year, month):
    """How many days a month has."""
    if month == 2 and is_leap(year):
        return 29
    return LENGTHS[month - 1]


def parse_date(text):
    """A day; None if there is none like that."""
    match = DATE.match(text)
    if match is None:
        return None
    year, month, day = [int(part) for part in match.groups()]
    if not 1 <= month <= 12:
        return None
    if not 1 <= day <= month_length(year, month):
        return None
    return (year, month, day)


def format_date(day):
    return "%04d-%02d-%02d" % day


def format_month(month):
    return "%04d-%02d" % month


def next_month(month):
    """The month behind another one."""
    year, number = month
    if number == 12:
        return (year + 1, 1)
    return (year, number + 1)


def months_between(first, last):
    """All months from the first to the last one."""
    found = []
    while first <= last:
        found.append(first)
        first = next_month(first)
    return found
