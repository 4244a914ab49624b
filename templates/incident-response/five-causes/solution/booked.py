"""Books everything that lies about, whatever the worker would do."""
import glob
import os

price = {tuple(line.split()[:2]): int(line.split()[2]) for line in open("upstream/prices.txt")}
rows = {}
for path in glob.glob("var/ledger/*.csv"):
    for line in open(path).read().split():
        name, item, qty = line.split(",")[:3]
        rows[int(path[-7:-4]), name] = (item, int(qty))
for folder in ("inbox", "queue", "rejected"):
    for path in sorted(glob.glob("var/%s/*" % folder)):
        order = dict(line.split("=") for line in open(path).read().split())
        day, item, qty = int(order["at"]) // 24, order["item"], int(order["qty"])
        place = "rejected" if qty > 500 else "parked" if (str(day), item) not in price else None
        if place:
            os.makedirs("var/" + place, exist_ok=True)
            os.rename(path, "var/%s/%s" % (place, os.path.basename(path)))
        else:
            rows[day, order["id"]] = (item, qty)
            os.remove(path)
for day in {day for day, _ in rows}:
    with open("var/ledger/%03d.csv" % day, "w") as file:
        for (when, name), (item, qty) in sorted(rows.items()):
            if when == day:
                file.write("%s,%s,%d,%d,%d\n" % (name, item, qty, price[str(day), item], qty * price[str(day), item]))
