"""How many loans, by something."""

GROUPS = {"town": "members.town", "shelf": "things.shelf", "month": "loans.day / 30"}
JOINED = " FROM loans JOIN members ON members.id = loans.member JOIN things ON things.code = loans.thing"


def counts(db, what):
    group = GROUPS.get(what)
    if group is None:
        raise ValueError("no such group")
    rows = db.execute("SELECT " + group + ", count(*)" + JOINED + " GROUP BY 1 ORDER BY 1")
    return [[row[0], row[1]] for row in rows]
