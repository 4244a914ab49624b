"""Knows the tokens of users; the store has them."""

from common import peer, serve

USERS = dict(pair.split(":") for pair in peer("store", "get", "users").split(","))


def answer(word, rest):
    if word == "check":
        names = [name for name, token in USERS.items() if token == rest]
        return names[0] if names else "error no such token"


serve(answer)
