"""migrate.py DB [VERSION] brings a database to a version, or to the newest one. See docs/MIGRATIONS.md."""
import os
import re
import sqlite3
import sys

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "migrations")


def scripts():
    found = {}
    for name in os.listdir(HERE):
        match = re.fullmatch(r"(\d+)_\w+\.(up|down)\.sql", name)
        if match:
            found[int(match[1]), match[2]] = os.path.join(HERE, name)
    return found


def statements(text):
    part = ""
    for line in text.splitlines(True):
        part += line
        if sqlite3.complete_statement(part):
            yield part
            part = ""


def step(db, path, version):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements(text):
            db.execute(statement)
        if db.execute("PRAGMA foreign_key_check").fetchall():
            raise sqlite3.IntegrityError("a row refers to one that is not there")
        db.execute("PRAGMA user_version = %d" % version)
        db.execute("COMMIT")
    except sqlite3.Error:
        db.execute("ROLLBACK")
        raise


def main(path, target=None):
    found = scripts()
    newest = max(version for version, _ in found)
    target = newest if target is None else int(target)
    if not 0 <= target <= newest:
        print("there is no version %d" % target, file=sys.stderr)
        return 2
    db = sqlite3.connect(path, isolation_level=None)
    have = db.execute("PRAGMA user_version").fetchone()[0]
    try:
        while have < target:
            step(db, found[have + 1, "up"], have + 1)
            have += 1
        while have > target:
            step(db, found[have, "down"], have - 1)
            have -= 1
    except sqlite3.Error as error:
        print("stopped at version %d: %s" % (have, error), file=sys.stderr)
        return 1
    print("version %d" % have)
    return 0


sys.exit(main(*sys.argv[1:]))
