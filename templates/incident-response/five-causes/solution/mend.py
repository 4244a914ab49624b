"""One row for each order, with the price of its day."""
import glob

price = {tuple(line.split()[:2]): int(line.split()[2]) for line in open("upstream/prices.txt")}
for path in sorted(glob.glob("var/ledger/*.csv")):
    day, rows = path[-7:-4].lstrip("0") or "0", {}
    for line in open(path).read().split():
        name, item, qty = line.split(",")[:3]
        rows[name] = "%s,%s,%s,%d,%d\n" % (name, item, qty, price[day, item], int(qty) * price[day, item])
    with open(path, "w") as file:
        file.write("".join(rows.values()))
