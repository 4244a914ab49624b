"""Conditions over long lists."""

from warden.decide import Request, decide
from warden.policy import read_policy

POLICY = "role r\ngrant u r\nallow read on a to r when user.left == user.right\n"


def data(size, draw):
    left = [draw.randrange(100) for _ in range(size)]
    return [left, left[:-1] + [left[-1] + draw.randrange(2)]]


def work(given):
    left, right = given
    policy = read_policy(POLICY)
    requests = [Request("u", "read", "a", {"left": left, "right": other}) for other in (left, right)]
    return [decide(policy, request).is_allowed for request in requests]
