"""Old loans go to a table of their year."""
import re


def move(db, year, before):
    if not re.fullmatch("[0-9]{4}", year):
        raise ValueError("a year has four digits")
    db.execute("CREATE TABLE IF NOT EXISTS loans_" + year + " (id INTEGER, thing TEXT, member INTEGER, day INTEGER)")
    db.execute("INSERT INTO loans_" + year + " SELECT id, thing, member, day FROM loans WHERE day < ?", (before,))
    return db.execute("DELETE FROM loans WHERE day < ?", (before,)).rowcount
