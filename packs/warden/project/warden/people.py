"""Who is in which groups, and has which roles."""


def closure(starts, next_of):
    """All that can be reached from some names, themselves included, in the order of finding."""
    found = []
    queue = list(starts)
    for name in queue:
        if name not in found:
            found.append(name)
            queue.extend(next_of(name))
    return found


def groups_of(policy, user):
    """The groups that a user is in, also through other groups, sorted."""

    def above(member):
        return ["@" + group.name for group in policy.groups if member in group.members]

    return sorted(name[1:] for name in closure(above(user), above))


def extended(policy, role):
    """The roles that a role extends itself."""
    return [other for known in policy.roles if known.name == role for other in known.extends]


def roles_of(policy, user):
    """All roles that a user has, sorted."""
    holders = [user] + ["@" + group for group in groups_of(policy, user)]
    own = [role for grant in policy.grants if grant.who in holders for role in grant.roles]
    return sorted(closure(own, lambda role: extended(policy, role)))


def is_in_cycle(name, next_of):
    """Whether a name can be reached from itself."""
    return name in closure(next_of(name), next_of)
