"""Judges a reference that the agent wrote about functions of a module. Version 1.

Nothing of the agent's runs. The facts are taken from the sealed module; the reference is read in its form and compared
with them. The lines `ok PART` and `not ok PART: why` say what came of each part of the plan.
"""

import ast
import json
import os
import re

import judged
from facts import facts

SEALED = os.path.dirname(os.path.abspath(__file__))
#: The most bytes of a reference.
LARGEST = 1 << 20
#: The part for the form of the file and the names in it. All others are some of the functions each.
FORM = "names"


class Malformed(Exception):
    """The reference is not of the form that was asked for."""


def read_json(text, plan):
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as why:
        raise Malformed("it is no JSON: %s" % why)
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise Malformed("it is not a map of names to maps")
    for name, entry in found.items():
        for field, texts in entry.items():
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise Malformed("%s of %s is not a list of texts" % (field, name))
    return {name: {field: [plain(text) for text in texts] for field, texts in entry.items()} for name, entry in found.items()}


def read_table(text, plan):
    rows = [cells(line) for line in text.splitlines() if line.strip().startswith("|")]
    wanted = ["name"] + plan["fields"]
    if not rows or rows[0] != wanted:
        raise Malformed("the first line of the table is not | %s |" % " | ".join(wanted))
    found = {}
    for row in rows[1:]:
        if all(re.fullmatch(":?-+:?", cell) for cell in row):
            continue
        if len(row) != len(wanted):
            raise Malformed("the line of %s has %d cells, not %d" % (row[0], len(row), len(wanted)))
        add(found, row[0], {field: split(field, cell) for field, cell in zip(plan["fields"], row[1:])})
    return found


def cells(line):
    """The cells of a line of a table. `\\|` stands for a bar in a cell."""
    line = line.strip()
    line = line[1:-1] if line.endswith("|") and not line.endswith("\\|") else line[1:]
    return [plain(cell.replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", line)]


def read_sections(text, plan):
    found, entry = {}, None
    for line in text.splitlines():
        head, fact = re.fullmatch(r"##\s+(.*)", line.strip()), re.fullmatch(r"-\s+(?:`(?=\w+`))?(\w+)`?\s*:(.*)", line.strip())
        if head:
            entry = {}
            add(found, plain(head[1]), entry)
        elif fact and entry is not None and fact[1] in plan["fields"]:
            add(entry, fact[1], split(fact[1], plain(fact[2])))
    return found


def add(found, name, value):
    if name in found:
        raise Malformed("%s is there twice" % name)
    found[name] = value


def plain(text):
    """A text without blanks and backticks around it."""
    text = text.strip()
    is_code = len(text) > 1 and text.startswith("`") and text.endswith("`") and "`" not in text[1:-1]
    return text[1:-1].strip() if is_code else text


def split(field, text):
    """The values of a list with commas; `-` is an empty one."""
    if text in ("", "-"):
        return []
    if field in ("parameters", "returns"):
        return [text]
    return [plain(part) for part in text.split(",")]


def normal(field, texts):
    """What is compared of a fact: neither spacing nor quotes count, and the order only of parameters. None for a text that
    is no Python."""
    text = ", ".join(texts)
    try:
        ast.parse("f(%s)" % text if field == "returns" else "def f(%s): pass" % text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Backticks may stand around each value.
        text = re.sub("`([^`]*)`", r"\1", text)
    try:
        if field == "parameters":
            return ast.unparse(ast.parse("def f(%s): pass" % text).body[0].args)
        if field == "returns":
            return {ast.unparse(part) for part in ast.parse("[%s]" % text, mode="eval").body.elts}
    except (SyntaxError, ValueError, AttributeError, IndexError, RecursionError, MemoryError):
        return None
    return set(texts)


def wrong(name, entry, right):
    """What is wrong with an entry, in words."""
    for field, texts in right.items():
        if field not in entry:
            return "%s says nothing of %s" % (name, field)
        found, expected = normal(field, entry[field]), normal(field, texts)
        if found == expected:
            continue
        if isinstance(found, set):
            lacking, more = sorted(expected - found), sorted(found - expected)
            lists = [("lacks", lacking), ("has too many", more)]
            return "%s of %s %s" % (field, name, " and ".join("%s %s" % (word, ", ".join(list)) for word, list in lists if list))
        return "%s of %s are not those of the signature" % (field, name)
    return None


def tell(plan, found, right):
    asked, there = set(plan["names"]), set(found)
    lacking = ", ".join(sorted(asked - there))
    more = ", ".join(sorted(there - asked))
    for part, names in plan["parts"].items():
        if part == FORM:
            why = "these names are missing: %s" % lacking if lacking else "these names were not asked for: %s" % more if more else None
        else:
            missing = [name for name in names if name not in found]
            bad = (wrong(name, found[name], right[name]) for name in names if name in found)
            why = "%s is missing" % missing[0] if missing else next((text for text in bad if text), None)
        say(part, why)


def say(part, why):
    if why is None:
        print("ok %s" % part)
    else:
        text = " ".join(why.split())[:400]
        print("not ok %s: %s" % (part, "".join(letter if letter.isprintable() else "?" for letter in text)))


def main():
    with open(os.path.join(SEALED, "plan.json"), encoding="utf-8") as file:
        plan = json.load(file)
    with open(os.path.join(SEALED, "module.py"), encoding="utf-8") as file:
        right = facts(file.read(), plan["names"], plan["fields"])
    try:
        text = judged.submitted(plan["file"])
        if len(text) > LARGEST:
            raise Malformed("it is larger than 1 MiB")
        found = {"json": read_json, "table": read_table, "sections": read_sections}[plan["form"]](text, plan)
    except (judged.Refused, Malformed) as why:
        for part in plan["parts"]:
            say(part, str(why))
        return
    tell(plan, found, right)


main()
