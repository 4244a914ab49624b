"""The pin at the door."""


def enter(db, name, pin):
    rows = db.execute("SELECT count(*) FROM members WHERE name = ? AND pin = ?", (name, pin))
    return rows.fetchone()[0] > 0
