"""Things by a part of their title."""


def contains(db, text):
    for mark in "\\%_":
        text = text.replace(mark, "\\" + mark)
    rows = db.execute("SELECT code FROM things WHERE title LIKE ? ESCAPE '\\' ORDER BY code", ("%" + text + "%",))
    return [row[0] for row in rows]
