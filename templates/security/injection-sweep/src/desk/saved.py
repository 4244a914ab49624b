"""Searches that members have saved: a town, and a column for the order."""

COLUMNS = ("id", "name", "town")


def run(db, name):
    found = db.execute("SELECT town, arrange FROM saved WHERE name = ?", (name,)).fetchone()
    if found is None:
        return []
    order = found[1] if found[1] in COLUMNS else "id"
    rows = db.execute("SELECT id FROM members WHERE town = ? ORDER BY " + order + ", id", (found[0],))
    return [row[0] for row in rows]
