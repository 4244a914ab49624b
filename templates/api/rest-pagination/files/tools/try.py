"""Plays requests from a file against a fresh App: python3 -B tools/try.py sessions/first.txt

A line is METHOD TARGET, then perhaps headers as Name=value, then perhaps a body that begins with a brace. `{next}` in a target is the
last cursor. Lines with # are comments.
"""
import json
import os
import sys
from urllib.parse import quote

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from depot import App  # noqa: E402


def main(path):
    app, cursor = App(), ""
    for line in open(path, encoding="utf-8"):
        if not line.strip() or line.startswith("#"):
            continue
        head, brace, rest = line.strip().partition("{\"")
        words = head.split()
        headers = dict(word.split("=", 1) for word in words[2:])
        status, more, body = app.handle(words[0], words[1].replace("{next}", quote(cursor)), headers, (brace + rest) or None)
        print(line.strip(), "\n   ", status, more, body)
        if body and json.loads(body).get("next"):
            cursor = json.loads(body)["next"]


main(sys.argv[1])
