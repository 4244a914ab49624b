"""Lines of an order."""

BULK = 10
WRAP = 150


def line(item):
    """The price of a line; from BULK pieces on, each costs a tenth less."""
    price = item["price"]
    if item["qty"] >= BULK:
        price -= price // 10
    return price * item["qty"]


def subtotal(order):
    return sum(line(item) for item in order["items"])


def wrapping(order):
    """Every piece of a gift is wrapped."""
    if not order.get("gift"):
        return 0
    return WRAP * sum(item["qty"] for item in order["items"])
