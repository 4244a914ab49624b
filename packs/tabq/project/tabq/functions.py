"""The functions of the language."""

from decimal import Decimal

from tabq.errors import QueryError
from tabq.values import number, rounded, sort_key, to_text, truth


def _text(function):
    """A function of a text that is null for null."""
    return lambda value: None if value is None else function(to_text(value))


def substr(value, start, count=None):
    """Characters from `start` on: 1 is the first, -1 the last. Null if a needed part is null."""
    start = number(start)
    if value is None or start is None:
        return None
    text, start = to_text(value), int(start)
    if start > 0:
        start -= 1
    elif start < 0:
        start = max(len(text) + start, 0)
    if count is None:
        return text[start:]
    count = number(count)
    if count is None:
        return None
    return text[start : start + max(int(count), 0)]


def round_value(value, places=Decimal(0)):
    """A rounded number; null for what is no number."""
    value, places = number(value), number(places)
    if value is None or places is None:
        return None
    return rounded(value, int(places))


def absolute(value):
    value = number(value)
    return None if value is None else abs(value)


def coalesce(*values):
    """The first value that is not null."""
    for value in values:
        if value is not None:
            return value
    return None


def choose(condition, then, otherwise):
    return then if truth(condition) is True else otherwise


def replace(value, old, new):
    """A text with every `old` replaced by `new`; null if one of them is null."""
    if value is None or old is None or new is None:
        return None
    text, old = to_text(value), to_text(old)
    if old == "":
        return text
    return text.replace(old, to_text(new))


#: name: (function, least arguments, most arguments or None)
SCALARS = {
    "lower": (_text(str.lower), 1, 1),
    "upper": (_text(str.upper), 1, 1),
    "trim": (_text(str.strip), 1, 1),
    "length": (lambda value: None if value is None else number(str(len(to_text(value)))), 1, 1),
    "substr": (substr, 2, 3),
    "round": (round_value, 1, 2),
    "abs": (absolute, 1, 1),
    "coalesce": (coalesce, 1, None),
    "if": (choose, 3, 3),
    "replace": (replace, 3, 3),
}


def total(values):
    """The sum of the numbers among the values; null if there is none."""
    numbers = [number(value) for value in values]
    numbers = [value for value in numbers if value is not None]
    return sum(numbers[1:], numbers[0]) if numbers else None


def average(values):
    numbers = [value for value in map(number, values) if value is not None]
    return total(numbers) / len(numbers) if numbers else None


def least(values):
    return min(values, key=sort_key) if values else None


def greatest(values):
    return max(values, key=sort_key) if values else None


#: name: function of the values that are not null
AGGREGATES = {
    "count": lambda values: number(str(len(values))),
    "sum": total,
    "avg": average,
    "min": least,
    "max": greatest,
    "join": None,
}


def arity_of(name, at=None):
    """The least and the most arguments of a function. An unknown name is an error."""
    if name == "join":
        return 2, 2
    if name in AGGREGATES:
        return 1, 1
    if name not in SCALARS:
        raise QueryError("there is no function %r" % name, at)
    _, fewest, most = SCALARS[name]
    return fewest, most
