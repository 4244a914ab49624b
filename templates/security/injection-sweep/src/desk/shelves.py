"""Things on shelves whose names begin alike."""


def starting(db, prefix):
    rows = db.execute("SELECT code FROM things WHERE substr(shelf, 1, length(?)) = ? ORDER BY code", (prefix, prefix))
    return [row[0] for row in rows]
