import json
from urllib.parse import quote
from depot import App


def play(session):
    app, cursors, told = App(), {}, []
    for method, target, headers, body in session:
        for name, cursor in cursors.items():
            target = target.replace("{%s}" % name, quote(cursor))
        try:
            status, more, text = app.handle(method, target, headers, body)
            data = json.loads(text) if text != "" else None
            more = {name.lower(): value for name, value in more.items()}
            if isinstance(data, dict) and data.get("next") is not None:
                cursors["last"] = str(data["next"])
                cursors["tag" if "tag=" in target else "plain"] = str(data["next"])
                data["next"] = type(data["next"]).__name__
            told.append([status, {name: more[name] for name in ("etag", "location", "allow") if name in more}, data])
        except Exception as error:
            told.append([type(error).__name__, {}, str(error)[:80]])
    return told


def answer(sessions):
    return [play(session) for session in sessions]
