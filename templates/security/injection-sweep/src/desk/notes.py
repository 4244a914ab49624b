"""What the desk notes about a member."""


def add(db, member, text):
    done = db.execute("INSERT INTO notes (member, text) VALUES (?, ?)", (member, text))
    return done.lastrowid
