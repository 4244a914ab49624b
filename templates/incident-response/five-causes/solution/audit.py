"""Compares ledgers and bills with the partner's prices and with each other."""
import glob

price = {tuple(line.split()[:2]): int(line.split()[2]) for line in open("upstream/prices.txt")}
for path in sorted(glob.glob("var/ledger/*.csv")):
    day = int(path[-7:-4])
    rows = [line.split(",") for line in open(path).read().split()]
    ids = [row[0] for row in rows]
    wrong = sum(int(row[3]) != price[str(day), row[1]] for row in rows)
    try:
        bill = dict(line.split() for line in open("var/bills/%03d.txt" % day))
        told = "orders %+d, sum %+d" % (int(bill["orders"]) - len(rows), int(bill["sum"]) - sum(int(row[4]) for row in rows))
    except OSError:
        told = "not closed"
    print("day %d: %d rows, %d twice, %d wrong prices; bill: %s" % (day, len(rows), len(ids) - len(set(ids)), wrong, told))
