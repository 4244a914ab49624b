"""Passes requests on: /NAME/REST goes to the program NAME of etc/routes.tsv as /REST."""

import os

from base import ETC, Answer, call, rows, serve, setting

PASSED = ("X-Request-Id", "Authorization", "Idempotency-Key")


def route(name):
    for found, port, methods in rows(os.path.join(ETC, "routes.tsv")):
        if found == name:
            return int(port), methods.split(",")
    raise Answer(404, {"error": "no route to %s" % name})


def answer(request):
    if request.path == "/ready":
        return 200, {"ready": True}
    name, _, rest = request.path[1:].partition("/")
    port, methods = route(name)
    if request.method not in methods:
        raise Answer(405, {"error": "%s does not take %s" % (name, request.method)})
    hops = int(request.headers.get("X-Hops") or 0)
    if hops >= int(setting("proxy", "max_hops")):
        raise Answer(508, {"error": "too many hops"})
    headers = {key: request.headers[key] for key in PASSED if key in request.headers}
    headers["X-Hops"] = str(hops + 1)
    target = "/" + rest + ("?" + request.query if request.query else "")
    tries = int(setting("proxy", "tries")) if request.method == "GET" else 1
    for _ in range(tries):
        status, body = call(port, request.method, target, request.body, headers)
        if status not in (502, 503):
            break
    return status, body


serve("proxy", answer)
