"""Read the CSV file."""
import csv


def load(path):
    """All rows of the file as dictionaries, in file order."""
    with open(path, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def render(row):
    cents = int(row["cents"])
    return "%s  %-12s %6d.%02d" % (row["id"], row["name"], cents // 100, cents % 100)
