"""Conditions over long lists, some of which are equal."""

from warden.decide import Request, decide
from warden.policy import read_policy

POLICY = "role r\ngrant u r\nallow read on a to r when user.left == user.right\n"


def data(size, draw):
    left = [draw.randrange(100) for _ in range(size)]
    return [left, [[draw.randrange(size // 2, size), draw.randrange(2)] for _ in range(12)]]


def work(given):
    left, changes = given
    policy, found = read_policy(POLICY), []
    for at, more in changes:
        right = list(left)
        right[at] += more
        found.append(decide(policy, Request("u", "read", "a", {"left": left, "right": right})).is_allowed)
    return found
