"""Finds what is odd in a policy."""

from collections import namedtuple

from warden.patterns import covers
from warden.people import closure, extended, is_in_cycle

Finding = namedtuple("Finding", "line kind name")


def lint(policy):
    """All findings, sorted by line."""
    return sorted(_unknown(policy) + _twice(policy) + _cycles(policy) + _unused(policy) + _shadowed(policy))


def _unknown(policy):
    """Roles and groups that are used and are nowhere."""
    roles = {role.name for role in policy.roles} | {"any"}
    groups = {"@" + group.name for group in policy.groups}
    used = [(role.line, name) for role in policy.roles for name in role.extends]
    used += [(entry.line, name) for entry in policy.grants + policy.rules for name in entry.roles]
    found = [Finding(line, "unknown-role", name) for line, name in used if name not in roles]
    members = [(grant.line, grant.who) for grant in policy.grants]
    members += [(group.line, name) for group in policy.groups for name in group.members]
    for line, name in members:
        if name.startswith("@") and name not in groups:
            found.append(Finding(line, "unknown-group", name[1:]))
    return found


def _twice(policy):
    """Roles and groups that are there again."""
    found = []
    for entries in (policy.roles, policy.groups):
        seen = set()
        for entry in entries:
            if entry.name in seen:
                found.append(Finding(entry.line, "twice", entry.name))
            seen.add(entry.name)
    return found


def _cycles(policy):
    """Roles and groups that contain themselves."""

    def roles_below(name):
        return extended(policy, name)

    def groups_below(name):
        members = [member for group in policy.groups if group.name == name for member in group.members]
        return [member[1:] for member in members if member.startswith("@")]

    found = [Finding(one.line, "cycle", one.name) for one in policy.roles if is_in_cycle(one.name, roles_below)]
    found += [Finding(one.line, "cycle", one.name) for one in policy.groups if is_in_cycle(one.name, groups_below)]
    return found


def _unused(policy):
    """Roles that no rule has to do with."""
    in_rules = {name for rule in policy.rules for name in rule.roles}
    needed = set(closure(sorted(in_rules), lambda role: extended(policy, role)))
    found = []
    for role in policy.roles:
        gives = set(closure([role.name], lambda name: extended(policy, name)))
        if role.name not in needed and not gives & in_rules:
            found.append(Finding(role.line, "unused-role", role.name))
    return found


def _shadowed(policy):
    """Rules that allow what another one always denies."""
    denies = [rule for rule in policy.rules if rule.effect == "deny" and rule.condition is None]
    found = []
    for rule in policy.rules:
        if rule.effect == "allow" and any(covers_rule(deny, rule) for deny in denies):
            found.append(Finding(rule.line, "shadowed", rule.pattern))
    return found


def covers_rule(deny, allow):
    """Whether a rule denies all that another one allows."""
    if deny.level < allow.level:
        return False
    if not _has_all(deny.actions, allow.actions) or not _has_all(deny.roles, allow.roles):
        return False
    return covers(deny.pattern, allow.pattern)


def _has_all(wide, narrow):
    return "any" in wide or set(narrow) <= set(wide)
