"""Another name for a member."""


def rename(db, member, name):
    done = db.execute("UPDATE members SET name = ? WHERE id = ?", (name, member))
    return done.rowcount
