"""The proxy, written anew: one pass over the table, one loop over the tries."""

import os

import base

FIELDS = {"x-request-id": "X-Request-Id", "authorization": "Authorization", "idempotency-key": "Idempotency-Key"}


def refused(status, why):
    return status, {"error": why}


def answer(request):
    if request.path == "/ready":
        return 200, {"ready": True}
    table = {row[0]: row[1:] for row in base.rows(os.path.join(base.ETC, "routes.tsv"))}
    pieces = request.path.split("/", 2)
    if pieces[1] not in table:
        return refused(404, "unknown " + pieces[1])
    port, methods = table[pieces[1]]
    if request.method not in methods.split(","):
        return refused(405, "not that method")
    hops = int(request.headers.get("X-Hops", "0"))
    if hops + 1 > int(base.setting("proxy", "max_hops")):
        return refused(508, "in circles")
    passed = {FIELDS[key.lower()]: value for key, value in request.headers.items() if key.lower() in FIELDS}
    passed["X-Hops"] = "%d" % (hops + 1)
    target = "/" + (pieces[2] if len(pieces) > 2 else "")
    if request.query:
        target += "?" + request.query
    left = int(base.setting("proxy", "tries"))
    while True:
        found = base.call(int(port), request.method, target, request.body, passed)
        left -= 1
        if request.method != "GET" or found[0] not in (502, 503) or left == 0:
            return found


base.serve("proxy", answer)
