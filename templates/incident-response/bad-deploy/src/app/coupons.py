"""Coupons."""

COUPONS = {"SPRING": 10, "TEAM": 15, "SORRY": 25}


def reduction(order, goods, freight):
    """A coupon is for the goods, not for the freight."""
    percent = COUPONS.get(order.get("coupon"), 0)
    return goods * percent // 100
