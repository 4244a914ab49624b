"""Takes orders: asks accounts, prices and stock, through the proxy."""

import threading
from urllib.parse import quote, urlencode

from base import Answer, call, serve, setting

NEEDS = ("accounts", "prices", "stock")
KEPT = {}
LOCK = threading.Lock()


def ask(request, method, path, body=None):
    headers = {key: request.headers[key] for key in ("X-Request-Id", "Idempotency-Key", "X-Hops") if key in request.headers}
    headers["Authorization"] = "Bearer " + setting("orders", "token")
    return call(int(setting("orders", "proxy")), method, path, body, headers)


def asked(found, *passed):
    """The JSON of an answer; ends the work with its status if that may be passed on, else with 502."""
    status, body = found
    if status == 200:
        return body
    raise Answer(status if status in passed else 502, body)


def order(request, user, sku, qty):
    account = asked(ask(request, "GET", "/accounts/users/" + quote(user, safe="")), 404)
    query = urlencode({"sku": sku, "qty": qty, "tier": account["tier"]})
    amount = asked(ask(request, "GET", "/prices/quote?" + query), 400, 404)["amount"]
    left = asked(ask(request, "POST", "/stock/take", {"sku": sku, "qty": qty}), 404, 409)["left"]
    return {"order": 1000 + len(KEPT), "name": account["name"], "amount": amount, "left": left}


def answer(request):
    if request.path == "/ready":
        down = [name for name in NEEDS if ask(request, "GET", "/%s/ready" % name)[0] != 200]
        return (503 if down else 200), {"ready": not down, "down": down}
    if request.parts[0] != "orders":
        raise Answer(404, {"error": "no such place"})
    if request.method == "GET" and len(request.parts) == 2:
        for kept in KEPT.values():
            if str(kept["order"]) == request.parts[1]:
                return 200, kept
        raise Answer(404, {"error": "no order %s" % request.parts[1]})
    key = request.headers.get("Idempotency-Key")
    if not key:
        raise Answer(400, {"error": "no key"})
    with LOCK:
        if key in KEPT:
            return 200, KEPT[key]
        KEPT[key] = order(request, request.body["user"], request.body["sku"], request.body["qty"])
        return 201, KEPT[key]


serve("orders", answer)
