"""All things in the order of a column."""

COLUMNS = ("title", "shelf", "price")


def listing(db, column):
    if column not in COLUMNS:
        raise ValueError("no such column")
    rows = db.execute("SELECT code FROM things ORDER BY " + column + ", code")
    return [row[0] for row in rows]
