"""Opens copies of the databases and compares them with the rolls."""
import glob
import os
import shutil
import sqlite3
import sys

where = sys.argv[1]
for roll in sorted(glob.glob("rolls/*.txt")):
    till = os.path.basename(roll)[:-4]
    if len(sys.argv) > 2 and till not in sys.argv[2:]:
        continue
    shutil.rmtree("/tmp/try", ignore_errors=True)
    os.makedirs("/tmp/try")
    for path in glob.glob("%s/%s.db*" % (where, till)):
        shutil.copy(path, "/tmp/try")
    try:
        link = sqlite3.connect("/tmp/try/%s.db" % till)
        sound = link.execute("PRAGMA integrity_check").fetchall()[0][0].splitlines()[-1]
        days = link.execute("SELECT day, count(*), sum(cents) FROM sale GROUP BY day ORDER BY day").fetchall()
        told = ["day %d: %d sales, %d.%02d" % (day, count, total // 100, total % 100) for day, count, total in days]
        print(till, "|", sound[:70], "|", "as on the roll" if told == open(roll).read().splitlines() else "NOT as on the roll: %d days, last %s" % (len(told), told[-1:]))
    except (sqlite3.Error, TypeError, ValueError) as error:
        print(till, "|", error)
