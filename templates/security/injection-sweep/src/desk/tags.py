"""Things that have a tag."""


def tagged(db, tag):
    query = "SELECT DISTINCT code FROM tags WHERE tag = ? ORDER BY code"
    return [row[0] for row in db.execute(query, (tag,))]
