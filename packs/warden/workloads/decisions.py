"""The decision over many rules."""

from warden.decide import Request, decide
from warden.policy import Grant, Policy, Role, Rule


def data(size, draw):
    return [draw.randrange(50) for _ in range(size)]


def work(numbers):
    rules = [Rule(at, "allow", ["a%d" % number], "x", ["r"], None, True, at == 1, ["log"])
             for at, number in enumerate([7] + numbers, 1)]
    found = decide(Policy([], [Role(1, "r", [])], [Grant(1, "u", ["r"])], rules), Request("u", "a7", "x"))
    return [found.is_allowed, found.line, found.musts]
