import json
import os


def as_json(found):
    return json.dumps(found, indent=None if ORDER < 0 else 2) + "\n"


def as_table(found):
    rows = [["name"] + FACTS] + [["---"] * (len(FACTS) + 1)]
    rows += [[name] + [joined(entry[field]).replace("|", "\\|") for field in FACTS] for name, entry in found.items()]
    gap = "" if ORDER < 0 else " "
    return "".join("|" + "|".join(gap + cell + gap for cell in row) + "|\n" for row in rows)


def as_sections(found):
    parts = []
    for name, entry in found.items():
        lines = ["- %s: %s" % (field, joined(entry[field])) for field in FACTS[::ORDER]]
        parts.append("## %s\n%s%s\n" % (name, "" if ORDER < 0 else "\n", "\n".join(lines)))
    return "\n".join(parts)


def joined(texts):
    return ", ".join(texts) or "-"


with open(MODULE, encoding="utf-8") as file:
    FOUND = facts(file.read(), NAMES[::ORDER], FACTS)
os.makedirs(os.path.dirname(REFERENCE), exist_ok=True)
with open(REFERENCE, "w", encoding="utf-8") as file:
    file.write({"json": as_json, "table": as_table, "sections": as_sections}[FORM](FOUND))
