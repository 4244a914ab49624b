"""Freight."""

BASE = 490
FREE = 5000
EXPRESS = 700
HEAVY = 20
ISLANDS = 1200


def heavy(weight):
    """300 for each begun 10 kg above HEAVY."""
    if weight <= HEAVY:
        return 0
    return 300 * ((weight - HEAVY + 9) // 10)


def freight(order, goods):
    sum_ = 0 if goods >= FREE else BASE
    if order.get("express"):
        sum_ += EXPRESS
    sum_ += heavy(order.get("weight", 1))
    if order.get("postcode", "").startswith("9"):
        sum_ += ISLANDS
    return sum_
