"""The lint of many rules."""

from warden.lint import lint
from warden.policy import Policy, Role, Rule


def data(size, draw):
    numbers = [draw.randrange(100) for _ in range(size)]
    denies = [draw.randrange(size // 2), draw.randrange(size // 2, size)]
    for at in denies:
        numbers[at] = 9 * draw.randrange(11) + 7
    return [numbers, denies]


def work(given):
    numbers, denies = given
    rules = []
    for at, number in enumerate(numbers):
        effect, action = ("deny" if at in denies else "allow"), "write" if number % 9 == 7 or at in denies else "read"
        rules.append(Rule(at + 1, effect, [action], "a/b%d" % number, ["r"], None, True, 0, []))
    return [list(finding) for finding in lint(Policy([], [Role(1, "r", [])], [], rules))]
