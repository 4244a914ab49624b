"""The only program that customers reach. It passes /api/... on, through the proxy."""

import uuid

from base import Answer, call, serve, setting

PASSED = ("X-Request-Id", "Idempotency-Key", "X-Hops")


def ready(headers):
    down = []
    for name in ("accounts", "orders", "prices", "stock"):
        status, _ = call(int(setting("gateway", "proxy")), "GET", "/%s/ready" % name, None, headers)
        if status != 200:
            down.append(name)
    return (503 if down else 200), {"ready": not down, "down": down}


def answer(request):
    headers = {key: request.headers[key] for key in PASSED if key in request.headers}
    if "X-Request-Id" not in headers:
        headers["X-Request-Id"] = uuid.uuid4().hex
    if request.path == "/ready":
        return ready(headers)
    if request.parts[0] != "api" or len(request.parts) < 2 or request.parts[1] not in ("orders", "left"):
        raise Answer(404, {"error": "no such place"})
    rest = "/" + "/".join(request.path.split("/")[3:]) if len(request.parts) > 2 else ""
    target = setting("gateway", request.parts[1]) + rest + ("?" + request.query if request.query else "")
    return call(int(setting("gateway", "proxy")), request.method, target, request.body, headers)


serve("gateway", answer, lambda: int(setting("gateway", "max_body")))
