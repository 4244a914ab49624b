"""A small language of filters: `town=Ulm & name>K`."""

FIELDS = {"name": "name", "town": "town", "id": "CAST(id AS TEXT)"}
SIGNS = ("=", "<", ">")


def matching(db, text):
    clauses, values = [], []
    for part in text.split(" & "):
        sign = next((one for one in part if one in SIGNS), None)
        if sign is None:
            raise ValueError("a condition without a sign")
        field, value = part.split(sign, 1)
        column = FIELDS.get(field)
        if column is None:
            raise ValueError("no such field")
        clauses.append(column + " " + sign + " ?")
        values.append(value)
    rows = db.execute("SELECT id FROM members WHERE " + " AND ".join(clauses) + " ORDER BY id", values)
    return [row[0] for row in rows]
