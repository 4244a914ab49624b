"""The tables, and how they are filled."""

TABLES = """
CREATE TABLE members (id INTEGER PRIMARY KEY, name TEXT, pin TEXT, town TEXT);
CREATE TABLE things (code TEXT PRIMARY KEY, title TEXT, shelf TEXT, price INTEGER);
CREATE TABLE tags (code TEXT, tag TEXT);
CREATE TABLE loans (id INTEGER PRIMARY KEY, thing TEXT, member INTEGER, day INTEGER);
CREATE TABLE notes (id INTEGER PRIMARY KEY, member INTEGER, text TEXT);
CREATE TABLE saved (name TEXT PRIMARY KEY, town TEXT, arrange TEXT);
"""


def fill(db, rows):
    """`rows` has a list of rows for each table."""
    db.executescript(TABLES)
    for table in ("members", "things", "tags", "loans", "notes", "saved"):
        for row in rows.get(table, []):
            db.execute("INSERT INTO " + table + " VALUES (" + ", ".join("?" for _ in row) + ")", row)
