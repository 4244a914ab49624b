"""Reads policies."""

import re
from collections import namedtuple

from warden.conditions import parse
from warden.lexer import Reader, tokens

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")

Policy = namedtuple("Policy", "groups roles grants rules")
Group = namedtuple("Group", "line name members")
Role = namedtuple("Role", "line name extends")
Grant = namedtuple("Grant", "line who roles")
#: `condition` is None or a tree; `wanted` is what it must be.
Rule = namedtuple("Rule", "line effect actions pattern roles condition wanted level musts")


def read_policy(text):
    """The policy that a text describes."""
    policy = Policy([], [], [], [])
    for number, line in enumerate(text.split("\n"), 1):
        reader = Reader(tokens(line, number), number)
        if not reader.is_done():
            _statement(reader, policy)
    return policy


def _statement(reader, policy):
    """Reads one line."""
    word = reader.word("a statement")
    if word == "group":
        policy.groups.append(Group(reader.line, name(reader), members(reader)))
    elif word == "role":
        own = name(reader)
        extends = names(reader) if reader.skip("extends") else []
        policy.roles.append(Role(reader.line, own, extends))
    elif word == "grant":
        policy.grants.append(Grant(reader.line, member(reader), names(reader)))
    elif word in ("allow", "deny"):
        policy.rules.append(_rule(word, reader))
    else:
        raise reader.fail("%s is no statement" % word)
    if not reader.is_done():
        raise reader.fail("%s was not expected" % reader.peek().value)


def name(reader):
    """A name. Numbers are names, too."""
    token = reader.peek()
    if token.kind not in ("word", "number") or not NAME.match(str(token.value)):
        raise reader.fail("a name was expected, not %s" % token.value)
    return str(reader.next().value)


def names(reader):
    """Names up to the end of the line, at least one."""
    found = [name(reader)]
    while not reader.is_done():
        found.append(name(reader))
    return found


def member(reader):
    """A user, or a group with `@`."""
    token = reader.peek()
    if token.kind == "word" and token.value.startswith("@"):
        if not NAME.match(token.value[1:]):
            raise reader.fail("a name was expected, not %s" % token.value)
        return reader.next().value
    return name(reader)


def members(reader):
    """Users and groups up to the end of the line, at least one."""
    found = [member(reader)]
    while not reader.is_done():
        found.append(member(reader))
    return found


def _rule(effect, reader):
    """Reads what stands behind `allow` or `deny`."""
    line = reader.line
    actions = reader.words("an action")
    reader.expect("on")
    pattern = reader.word("a pattern")
    reader.expect("to")
    roles = reader.words("a role")
    condition, wanted, level, musts = None, True, None, None
    while not reader.is_done():
        if condition is None and reader.is_next("when", "unless"):
            wanted = reader.next().value == "when"
            condition = parse(reader)
        elif level is None and reader.skip("level"):
            level = _level(reader)
        elif musts is None and reader.skip("must"):
            musts = reader.words("an obligation")
        else:
            raise reader.fail("%s was not expected" % reader.peek().value)
    return Rule(line, effect, actions, pattern, roles, condition, wanted, level or 0, musts or [])


def _level(reader):
    token = reader.next()
    if token.kind != "number" or not 0 <= token.value <= 99:
        raise reader.fail("a level is from 0 to 99")
    return token.value
