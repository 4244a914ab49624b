"""Knows what things cost."""

from base import Answer, rows, serve, setting


def tiers():
    return {name: int(percent) for name, percent in (word.split(":") for word in setting("prices", "tiers").split())}


def answer(request):
    units = {row[0]: int(row[1]) for row in rows(setting("prices", "data"))}
    if request.path == "/ready":
        return 200, {"ready": True}
    if request.path != "/quote":
        raise Answer(404, {"error": "no such place"})
    sku, tier, text = (request.values.get(key, "") for key in ("sku", "tier", "qty"))
    if not text.isdigit() or int(text) < 1 or tier not in tiers():
        raise Answer(400, {"error": "wrong qty or tier"})
    if sku not in units:
        raise Answer(404, {"error": "no sku %s" % sku})
    qty = int(text)
    off = 0
    if qty >= int(setting("prices", "bulk_from")):
        off = int(setting("prices", "bulk_off"))
    total = units[sku] * qty * tiers()[tier] * (100 - off)
    return 200, {"amount": (total + 5000) // 10000}


serve("prices", answer)
