import importlib, sqlite3

TABLES = ("members", "things", "tags", "loans", "notes", "saved")


def state(db):
    """All of the database: its tables, and their rows."""
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()]
    return [[name, [list(row) for row in db.execute('SELECT * FROM "%s" ORDER BY rowid' % name.replace('"', '""')).fetchall()]] for name in names]


def one(full, before, call):
    """A call on a fresh copy of the full database: what came back, and the database afterwards if it has changed."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    full.backup(db)
    site, function, arguments = call
    try:
        told = ["value", getattr(importlib.import_module("desk." + site), function)(db, *arguments)]
    except ValueError:
        told = ["refused"]
    except Exception as error:
        told = ["error", type(error).__name__]
    try:
        after = state(db)
    except Exception as error:
        after = type(error).__name__
    db.close()
    return [told, None if after == before else after]


def answer(data):
    from desk import schema
    full = sqlite3.connect(":memory:", isolation_level=None)
    schema.fill(full, data["rows"])
    before = state(full)
    return [one(full, before, call) for call in data["calls"]]
