"""Exact amounts. A quantity is a whole number of the smallest pieces of its commodity."""

import re
from collections import namedtuple

Amount = namedtuple("Amount", "quantity commodity")

NUMBER = re.compile(r"(-?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?\Z")


def parse_quantity(text, places):
    """The quantity that a number stands for; None if it is no number, or has too many decimals."""
    match = NUMBER.match(text)
    if match is None:
        return None
    sign, whole, decimals = match.groups()
    decimals = decimals or ""
    if len(decimals) > places:
        return None
    quantity = int(whole.replace(",", "") + decimals.ljust(places, "0"))
    return -quantity if sign else quantity


def format_quantity(quantity, places):
    """A quantity with its decimals and groups of three digits."""
    digits = str(abs(quantity)).rjust(places + 1, "0")
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :]
    groups = []
    while len(whole) > 3:
        groups.insert(0, whole[-3:])
        whole = whole[:-3]
    text = ",".join([whole] + groups)
    if places:
        text += "." + decimals
    return "-" + text if quantity < 0 else text


def rounded(number, divisor):
    """A quotient, rounded half away from zero."""
    result = (2 * abs(number) + divisor) // (2 * divisor)
    return -result if number < 0 else result


class Sum:
    """Amounts of any commodities together. Those that are zero are not there."""

    def __init__(self, amounts=()):
        self.quantities = {}
        for amount in amounts:
            self.add(amount)

    def add(self, amount):
        """Adds one amount."""
        quantity = self.quantities.get(amount.commodity, 0) + amount.quantity
        if quantity:
            self.quantities[amount.commodity] = quantity
        else:
            self.quantities.pop(amount.commodity, None)

    def add_all(self, other):
        """Adds all amounts of another sum."""
        for amount in other.amounts():
            self.add(amount)

    def amounts(self):
        """The amounts, ordered by commodity."""
        return [Amount(self.quantities[name], name) for name in sorted(self.quantities)]

    def of(self, commodity):
        return self.quantities.get(commodity, 0)

    def negated(self):
        """The sum that makes zero of this one."""
        return Sum(Amount(-amount.quantity, amount.commodity) for amount in self.amounts())

    def is_zero(self):
        return not self.quantities
