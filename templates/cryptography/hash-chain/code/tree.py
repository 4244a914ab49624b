"""The root of the tree above some leaves."""

from audit.canon import SIZE, digest, node


def up(level):
    """The level above this one."""
    above = [node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    if len(level) % 2:
{% if odd == "promote" %}
        above.append(level[-1])
{% elif odd == "double" %}
        above.append(node(level[-1], level[-1]))
{% else %}
        above.append(node(level[-1], bytes(SIZE)))
{% endif %}
    return above


def root(leaves):
    if not leaves:
        return digest(b"")
    level = list(leaves)
    while len(level) > 1:
        level = up(level)
    return level[0]
