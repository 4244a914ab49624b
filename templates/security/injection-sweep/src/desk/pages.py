"""A page of things after a code."""


def page(db, size, after):
    if not (size.isascii() and size.isdigit() and len(size) < 4):
        raise ValueError("a size is a number")
    rows = db.execute("SELECT code FROM things WHERE code > ? ORDER BY code LIMIT " + size, (after,))
    return [row[0] for row in rows]
