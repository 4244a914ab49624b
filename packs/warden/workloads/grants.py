"""The trace of a request with many rules and grants."""

from warden.decide import Request, explain
from warden.policy import Grant, Policy, Role, Rule


def data(size, draw):
    rules = [[draw.randrange(50), draw.randrange(12)] for _ in range(size)]
    return [rules, [[at, draw.randrange(12)] for at in draw.sample(range(8 * size), 8)]]


def work(given):
    numbers, own = given
    rules = [Rule(at, "allow", ["a%d" % number], "x", ["r%d" % role], None, True, 0, [])
             for at, (number, role) in enumerate(numbers, 1)]
    grants = [Grant(at, "u%d" % (at % 1000), ["r1"]) for at in range(8 * len(numbers))]
    for at, role in own:
        grants[at] = Grant(at, "u7777", ["r%d" % role])
    roles = [Role(at, "r%d" % at, []) for at in range(12)]
    traces = explain(Policy([], roles, grants, rules), Request("u7777", "a7", "x"))
    return [trace.outcome for trace in traces]
