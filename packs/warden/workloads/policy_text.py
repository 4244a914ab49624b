"""A policy of many lines."""

from warden.policy import read_policy


def data(size, draw):
    lines = ["# %d" % draw.randrange(10) if draw.randrange(10) else "role r%d" % at for at in range(size)]
    return "\n".join(lines)


def work(text):
    return [[role.line, role.name] for role in read_policy(text).roles]
