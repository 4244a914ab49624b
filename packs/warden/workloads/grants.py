"""The trace of a request with many rules and grants."""

from warden.decide import Request, explain
from warden.policy import Grant, Policy, Role, Rule


def data(size, draw):
    return [draw.randrange(50) for _ in range(size)]


def work(numbers):
    rules = [Rule(at, "allow", ["a%d" % number], "x", ["r"], None, True, 0, []) for at, number in enumerate(numbers, 1)]
    grants = [Grant(at, "u%d" % (at % 1000), ["r"]) for at in range(8 * len(numbers))]
    traces = explain(Policy([], [Role(1, "r", [])], grants, rules), Request("u7777", "a7", "x"))
    return [trace.outcome for trace in traces]
