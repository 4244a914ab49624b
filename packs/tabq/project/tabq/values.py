"""Values: null (None), booleans, exact decimals and texts. Three-valued logic."""

from decimal import ROUND_HALF_UP, Decimal, DivisionByZero, InvalidOperation
import re

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)\Z")


def from_cell(cell):
    """The value of a cell: null if it is empty, a number if it looks like one, else its text."""
    if cell == "":
        return None
    stripped = cell.strip()
    if NUMBER.match(stripped):
        return Decimal(stripped)
    return cell


def to_text(value):
    """How a value is written. Null is empty; a number has no exponent and no needless zeros."""
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, Decimal):
        text = format(value, "f")
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return value


def sort_key(value):
    """Orders all values: nulls, then booleans, then numbers, then texts."""
    if value is None:
        return (0, 0)
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, Decimal):
        return (2, value)
    return (3, value)


def compare(operator, left, right):
    """The truth of a comparison; null if one side is null."""
    if left is None or right is None:
        return None
    left, right = sort_key(left), sort_key(right)
    if operator == "=":
        return left == right
    if operator == "!=":
        return left != right
    if operator == "<":
        return left < right
    if operator == "<=":
        return left <= right
    if operator == ">":
        return left > right
    return left >= right


def both(left, right):
    """`and` of three values: false wins over null."""
    if left is False or right is False:
        return False
    if left is None or right is None:
        return None
    return True


def either(left, right):
    """`or` of three values: true wins over null."""
    if left is True or right is True:
        return True
    if left is None or right is None:
        return None
    return False


def opposite(value):
    """`not` of three values."""
    return None if value is None else not value


def truth(value):
    """A value as a condition: a number is true unless it is 0; a text is no condition, so null."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Decimal):
        return value != 0
    return None


def number(value):
    """A value as a number; null if it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, Decimal):
        return value
    return Decimal(value.strip()) if NUMBER.match(value.strip()) else None


def arithmetic(operator, left, right):
    """The result of `+ - * / %`; null if a side is no number, and for a division by zero. `%` has
    the sign of the left side."""
    left, right = number(left), number(right)
    if left is None or right is None:
        return None
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    try:
        if operator == "/":
            return left / right
        return left % right
    except (DivisionByZero, InvalidOperation, ZeroDivisionError):
        return None


def rounded(value, places=0):
    """A number with so many decimal places; negative places round to tens. Halves go away from 0."""
    unit = Decimal(1).scaleb(-places)
    return value.quantize(unit, rounding=ROUND_HALF_UP) if places >= 0 else (
        (value / unit).quantize(Decimal(1), rounding=ROUND_HALF_UP) * unit
    )


def like_pattern(pattern):
    """The regular expression of a `like` pattern."""
    parts, taken = [], False
    for letter in pattern:
        if taken:
            parts.append(re.escape(letter))
            taken = False
        elif letter == "\\":
            taken = True
        elif letter == "%":
            parts.append(".*")
        elif letter == "_":
            parts.append(".")
        else:
            parts.append(re.escape(letter))
    if taken:
        parts.append(re.escape("\\"))
    return re.compile("".join(parts) + r"\Z", re.IGNORECASE | re.DOTALL)
