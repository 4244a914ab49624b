"""Which fields an item has, and what may stand in them."""

DEFAULTS = {"name": None, "qty": 0, "tags": [], "note": None}


def is_name(value):
    return isinstance(value, str) and 1 <= len(value) <= {{ longest }}


def is_qty(value):
    return type(value) is int and value >= 0


def is_tags(value):
    return isinstance(value, list) and all(isinstance(tag, str) and tag for tag in value) and len(set(value)) == len(value)


def is_note(value):
    return value is None or isinstance(value, str)


RULES = {"name": is_name, "qty": is_qty, "tags": is_tags, "note": is_note}


def bad_field(fields):
    """The first field that is wrong, or None: first the known ones in their order, then unknown ones by the alphabet."""
    for name, rule in RULES.items():
        if name in fields and not rule(fields[name]):
            return name
{% if unknown == "refused" %}
    return min((name for name in fields if name not in RULES), default=None)
{% else %}
    return None
{% endif %}


def known(fields):
    return {name: value for name, value in fields.items() if name in RULES}


def complete(fields):
    """All fields of a new or replaced item."""
    return {**DEFAULTS, **known(fields)}
