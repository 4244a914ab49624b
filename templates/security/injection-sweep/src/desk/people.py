"""Members by their exact name."""


def by_name(db, name):
    rows = db.execute("SELECT id FROM members WHERE name = ? ORDER BY id", (name,))
    return [row[0] for row in rows]
