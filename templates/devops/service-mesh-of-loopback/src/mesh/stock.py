"""Knows what is left. What was taken is forgotten when the program begins anew."""

import threading

from base import Answer, rows, serve, setting

LEFT = {row[0]: int(row[1]) for row in rows(setting("stock", "data"))}
TAKEN = {}
LOCK = threading.Lock()


def take(key, sku, qty):
    if sku not in LEFT:
        return 404, {"error": "no sku %s" % sku}
    if qty > LEFT[sku]:
        return 409, {"left": LEFT[sku]}
    LEFT[sku] -= qty
    return 200, {"left": LEFT[sku]}


def answer(request):
    if request.path == "/ready":
        return 200, {"ready": True}
    if request.parts[0] == "left" and len(request.parts) == 2:
        if request.parts[1] not in LEFT:
            raise Answer(404, {"error": "no sku %s" % request.parts[1]})
        return 200, {"left": LEFT[request.parts[1]]}
    if request.path != "/take" or request.method != "POST":
        raise Answer(404, {"error": "no such place"})
    key = request.headers.get("Idempotency-Key")
    if not key:
        raise Answer(400, {"error": "no key"})
    with LOCK:
        if key not in TAKEN:
            TAKEN[key] = take(key, request.body["sku"], request.body["qty"])
        return TAKEN[key]


serve("stock", answer)
