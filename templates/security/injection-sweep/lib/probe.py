"""Shows what sites do with odd texts: python3 -B /tmp/probe.py [SITE...]"""
import importlib, sqlite3, sys

sys.path.insert(0, "/work")
from desk import schema

ODD = ["O'Hara", "x' OR '1'='1", "\\' OR 1=1 --", "50%", "_", "a;b", " a ", "A[1]", "A*", "<b>'", "it's --", "x', pin = '0", "\\"]
ROWS = {
    "members": [[n + 1, text, "471%d" % (n % 10), "U'lm" if n % 2 else "Ulm"] for n, text in enumerate(ODD)],
    "things": [["c" + text, text, text, 10 - n] for n, text in enumerate(ODD)],
    "tags": [["c" + text, text] for text in ODD],
    "loans": [[n + 1, "c" + text, n + 1, 30 * n] for n, text in enumerate(ODD)],
    "notes": [[n + 1, 1, ODD[n // 2]] for n in range(2 * len(ODD))],
    "saved": [["s%d" % n, "U'lm", order] for n, order in enumerate(["id", "name", "town", "", "pin", "name DESC", "id DESC", "-id"])],
}
COLUMNS = ["title", "shelf", "price", "pin", "price DESC", "titles", "town", "month", "members.pin", "-price", "price/2", "length(code)", "day"]
NUMBERS = ["0", "60", "100", "999", "1000", "", "1 OR 1", "1 UNION SELECT pin FROM members", "1+1", "(3)", "\u0663", "1\n"]
YEARS = ["2023", "20233", "\u0662\u0660\u0662\u0663", "2023 (id INTEGER, thing TEXT, member INTEGER, day INTEGER) --"]
CALLS = {
    "people": ("by_name", [[t] for t in ODD]), "titles": ("contains", [[t] for t in ODD]), "listing": ("listing", [[t] for t in COLUMNS]),
    "pins": ("enter", [["O'Hara", "4710"], ["O'Hara", "47__"], ["x", "x' OR '1'='1"]]), "days": ("between", [["0", t] for t in NUMBERS] + [[t, "60"] for t in NUMBERS]),
    "several": ("titles", [[["c" + t, "c50%"]] for t in ODD] + [[["x') OR ('1'='1"]]]), "tags": ("tagged", [[t] for t in ODD]),
    "rename": ("rename", [[1, t] for t in ODD]), "notes": ("add", [[1, t] for t in ODD]), "repeated": ("repeated", [[n] for n in range(1, 27, 2)]),
    "saved": ("run", [["s%d" % n] for n in range(8)]), "attic": ("move", [[t, 90] for t in YEARS]), "counts": ("counts", [[t] for t in COLUMNS]),
    "shelves": ("starting", [[t] for t in ODD]), "pages": ("page", [[t, "c5"] for t in NUMBERS]),
    "filters": ("matching", [["name=" + t] for t in ODD] + [["pin>0"], ["name='a'"], ["name<B & id>1"], ["rowid=1"]]),
}
for site in sys.argv[1:] or CALLS:
    function, calls = CALLS[site]
    for arguments in calls:
        db = sqlite3.connect(":memory:", isolation_level=None)
        schema.fill(db, ROWS)
        count = db.total_changes
        try:
            told = getattr(importlib.import_module("desk." + site), function)(db, *arguments)
        except Exception as error:
            told = "%s: %s" % (type(error).__name__, error)
        changed = db.total_changes - count
        print(site, ascii(arguments), "->", ascii(told), "(%d changes)" % changed if changed else "")
        if site in ("rename", "notes") and changed:
            print("    ", ascii(db.execute("SELECT * FROM members WHERE id = 1").fetchall() if site == "rename" else db.execute("SELECT * FROM notes WHERE id > 26").fetchall()))
