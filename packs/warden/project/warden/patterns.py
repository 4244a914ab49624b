"""Patterns of resources."""


def matches_part(pattern, text):
    """Whether a text is like a pattern, in which `*` stands for any characters."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    last = rest.pop()
    at = len(first)
    for piece in rest:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(text) - at >= len(last) and text.endswith(last)


def matches(pattern, resource, user=""):
    """Whether a resource is like a pattern. The name of the user is no pattern."""
    return _match(pattern.split("/"), resource.split("/"), user)


def _match(pattern, parts, user):
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_match(pattern[1:], parts[start:], user) for start in range(len(parts) + 1))
    if not parts:
        return False
    return _is_like(pattern[0], parts[0], user) and _match(pattern[1:], parts[1:], user)


def _is_like(pattern, part, user):
    """Whether a part is like that of a pattern."""
    if "{user}" not in pattern:
        return matches_part(pattern, part)
    # What the name is made of must not be read as a pattern: it has no stars.
    return "*" not in user and matches_part(pattern.replace("{user}", user), part)


def covers(wide, narrow):
    """Whether a pattern matches all that another one can match."""
    return _cover(wide.split("/"), narrow.split("/"))


def _cover(wide, narrow):
    if not wide:
        return not narrow
    if wide[0] == "**":
        return any(_cover(wide[1:], narrow[start:]) for start in range(len(narrow) + 1))
    if not narrow or narrow[0] == "**":
        return False
    return covers_part(wide[0], narrow[0]) and _cover(wide[1:], narrow[1:])


def covers_part(wide, narrow):
    """Whether a part of a pattern covers another one."""
    if wide == narrow or wide == "*":
        return True
    if "*" in narrow or "{user}" in narrow or "{user}" in wide:
        return False
    return matches_part(wide, narrow)
