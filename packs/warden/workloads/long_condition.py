"""A condition with a long list."""

from warden.policy import read_policy


def data(size, draw):
    numbers = ", ".join(str(draw.randrange(1000)) for _ in range(size))
    return "allow read on a to any when user.n in [%s]" % numbers


def work(text):
    return [rule.condition for rule in read_policy(text).rules]
