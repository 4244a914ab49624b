"""Other notes with the same text as a note."""


def repeated(db, note):
    found = db.execute("SELECT text FROM notes WHERE id = ?", (note,)).fetchone()
    if found is None:
        return []
    rows = db.execute("SELECT id FROM notes WHERE text = ? AND id <> ? ORDER BY id", (found[0], note))
    return [row[0] for row in rows]
