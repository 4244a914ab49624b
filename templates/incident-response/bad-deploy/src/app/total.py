"""What an order costs, in cents."""

from app.coupons import reduction
from app.freight import freight
from app.items import subtotal, wrapping
from app.tax import rate


def total(order):
    goods = subtotal(order)
    cost = freight(order, goods)
    goods -= reduction(order, goods, cost)
    return goods + goods * rate(order) // 100 + cost + wrapping(order)
