"""Names of accounts, and the tree that they make."""

import re

KINDS = ("assets", "liabilities", "income", "expenses", "equity")
PART = re.compile(r"[a-z0-9-]+\Z")


def is_account(name):
    """Whether a name is that of an account."""
    parts = name.split(":")
    return len(parts) >= 2 and parts[0] in KINDS and all(PART.match(part) for part in parts)


def is_below(name, top):
    """Whether an account is another one, or below it."""
    return name == top or name.startswith(top + ":")


def parents(name):
    """The accounts above an account, from the top."""
    parts = name.split(":")
    return [":".join(parts[:count]) for count in range(1, len(parts))]


class Node:
    """An account in a tree. `own` is the sum of its postings, `total` also of those below."""

    def __init__(self, name, own, total):
        self.name = name
        self.own = own
        self.total = total
        self.below = []


def tree(sums, empty):
    """The accounts at the top. `sums` are those of accounts; `empty` makes a sum of nothing."""
    nodes, tops = {}, []
    for name in sorted(sums, key=lambda name: name.split(":")):
        for known in parents(name) + [name]:
            if known not in nodes:
                nodes[known] = Node(known, empty(), empty())
                above = known.rpartition(":")[0]
                (nodes[above].below if above else tops).append(nodes[known])
            nodes[known].total.add_all(sums[name])
        nodes[name].own.add_all(sums[name])
    return tops
