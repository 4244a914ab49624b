"""Knows the users."""

from base import Answer, rows, serve, setting


def answer(request):
    users = {row[0]: row for row in rows(setting("accounts", "data"))}
    if request.path == "/ready":
        return 200, {"ready": True}
    if request.headers.get("Authorization") != "Bearer " + setting("accounts", "token"):
        raise Answer(401, {"error": "who asks?"})
    if request.parts[0] != "users" or len(request.parts) != 2:
        raise Answer(404, {"error": "no such place"})
    user = request.parts[1]
    if user not in users:
        raise Answer(404, {"error": "no user %s" % user})
    return 200, {"id": user, "name": users[user][1], "tier": users[user][2]}


serve("accounts", answer)
