"""The decision over many rules, of which the first ones do not match."""

from warden.decide import Request, decide
from warden.policy import Grant, Policy, Role, Rule


def data(size, draw):
    first = draw.randrange(size // 2, size - size // 4)
    numbers = [draw.randrange(50) for _ in range(size)]
    return [8 if number == 7 and at < first else number for at, number in enumerate(numbers)]


def work(numbers):
    rules = [Rule(at, "allow", ["a%d" % number], "x", ["r"], None, True, at % 3 == 0, ["log%d" % at])
             for at, number in enumerate(numbers, 1)]
    found = decide(Policy([], [Role(1, "r", [])], [Grant(1, "u", ["r"])], rules), Request("u", "a7", "x"))
    return [found.is_allowed, found.line, found.musts]
