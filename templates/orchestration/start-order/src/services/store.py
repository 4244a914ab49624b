"""Keeps texts; begins with those of data/store."""

from common import serve

KEPT = dict(line.strip().split("=", 1) for line in open("data/store"))


def answer(word, rest):
    if word == "get":
        return KEPT[rest]
    if word == "put":
        key, _, value = rest.partition(" ")
        KEPT[key] = value
        return "kept"


serve(answer)
