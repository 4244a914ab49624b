"""Several things at once."""


def titles(db, codes):
    marks, values = ", ".join("?" for _ in codes), tuple(codes)
    rows = db.execute("SELECT title FROM things WHERE code IN (" + marks + ") ORDER BY code", values)
    return [row[0] for row in rows]
