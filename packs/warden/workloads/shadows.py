"""The lint of many rules."""

from warden.lint import lint
from warden.policy import Policy, Role, Rule


def data(size, draw):
    return [draw.randrange(100) for _ in range(size)]


def work(numbers):
    rules = [Rule(1, "deny", ["write"], "a/b7", ["r"], None, True, 0, [])]
    for at, number in enumerate(numbers, 2):
        action = "write" if number == 7 else "read"
        rules.append(Rule(at, "allow", [action], "a/b%d" % number, ["r"], None, True, 0, []))
    return [list(finding) for finding in lint(Policy([], [Role(1, "r", [])], [], rules))]
