"""Works conditions out."""

from warden.errors import ConditionError
from warden.patterns import matches_part


def kind_of(value):
    """The kind of a value: truth, number, text or list."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int):
        return "number"
    return "text" if isinstance(value, str) else "list"


def evaluate(tree, sources):
    """The value of a condition. `sources` has the attributes of user, doc and env."""
    kind = tree[0]
    if kind == "value":
        return tree[1]
    if kind == "list":
        return [evaluate(part, sources) for part in tree[1]]
    if kind == "attribute":
        return attribute(tree, sources)
    if kind == "has":
        return tree[1][2] in sources[tree[1][1]]
    if kind in ("and", "or"):
        left = truth(evaluate(tree[1], sources))
        if left == (kind == "or"):
            return left
        return truth(evaluate(tree[2], sources))
    if kind == "not":
        return not truth(evaluate(tree[1], sources))
    if kind in ("count", "lower"):
        return function(kind, evaluate(tree[1], sources))
    return compare(kind, evaluate(tree[1], sources), evaluate(tree[2], sources))


def attribute(tree, sources):
    """The value of an attribute."""
    _, source, name = tree
    if name not in sources[source]:
        raise ConditionError("%s.%s is not there" % (source, name))
    return sources[source][name]


def truth(value):
    if kind_of(value) != "truth":
        raise ConditionError("true or false was expected")
    return value


def function(name, value):
    """What a function makes of a value."""
    if name == "lower" and kind_of(value) == "text":
        return value.lower()
    if name == "count" and kind_of(value) in ("list", "text"):
        return len(value)
    raise ConditionError("%s cannot be used with a %s" % (name, kind_of(value)))


def same(left, right):
    """Whether two values are of the same kind and equal, also within lists."""
    if kind_of(left) != kind_of(right):
        return False
    if kind_of(left) == "list":
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right))
    return left == right


def compare(operator, left, right):
    """What a comparison gives."""
    if operator == "==":
        return same(left, right)
    if operator == "!=":
        return not same(left, right)
    kinds = (kind_of(left), kind_of(right))
    if operator == "in":
        if kinds[1] == "list":
            return any(same(left, element) for element in right)
        if kinds == ("text", "text"):
            return left in right
    elif operator == "like":
        if kinds == ("text", "text"):
            return matches_part(right, left)
    elif kinds in (("number", "number"), ("text", "text")):
        return ordered(operator, left, right)
    raise ConditionError("%s is not between a %s and a %s" % (operator, kinds[0], kinds[1]))


def ordered(operator, left, right):
    """Whether two values are in an order."""
    if operator == "<":
        return left < right
    if operator == "<=":
        return left <= right
    if operator == ">":
        return left > right
    return left >= right
