import os, sqlite3, subprocess, tempfile


def seen(path):
    db = sqlite3.connect(path)
    told = {"version": db.execute("PRAGMA user_version").fetchone()[0]}
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        rows = db.execute("SELECT * FROM " + name)
        columns = [column[0] for column in rows.description]
        told[name] = sorted([sorted(zip(columns, row)) for row in rows.fetchall()], key=repr)
        told["columns of " + name] = sorted([row[1], row[3], row[4], row[5]] for row in db.execute("PRAGMA table_info(%s)" % name))
    told["triggers"] = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    if "attic" in told and told["version"] < 6:
        del told["attic"]
    db.close()
    return told


def migrated(path, version):
    ran = subprocess.run(["python3", "-B", "/work/migrate.py", path] + ([] if version is None else [str(version)]), stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, cwd="/tmp")
    return ran.returncode


def play(steps):
    path = os.path.join(tempfile.mkdtemp(), "a.db")
    told = []
    for step in steps:
        if isinstance(step, list):
            db = sqlite3.connect(path)
            for statement in step:
                try:
                    db.execute(statement)
                except sqlite3.Error as error:
                    told.append(type(error).__name__)
            db.commit()
            db.close()
        else:
            code = migrated(path, None if step == "newest" else step)
            told.append([code, seen(path)])
    return told


def answer(jobs):
    told = {}
    for name, steps in jobs:
        try:
            told[name] = play(steps)
        except Exception as error:
            told[name] = "%s: %s" % (type(error).__name__, error)
    return told
