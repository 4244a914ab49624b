"""Reads conditions."""

ORDERS = ("==", "!=", "<", "<=", ">", ">=", "in", "like")
SOURCES = ("user", "doc", "env")
FUNCTIONS = ("count", "lower", "has")


def parse(reader):
    """A condition as a tree of tuples."""
    tree = _all(reader)
    while reader.skip("or"):
        tree = ("or", tree, _all(reader))
    return tree


def _all(reader):
    tree = _not(reader)
    while reader.skip("and"):
        tree = ("and", tree, _not(reader))
    return tree


def _not(reader):
    if reader.skip("not"):
        return ("not", _not(reader))
    left = _operand(reader)
    if reader.is_next(*ORDERS):
        operator = reader.next().value
        tree = (operator, left, _operand(reader))
        if reader.is_next(*ORDERS):
            raise reader.fail("comparisons cannot be chained")
        return tree
    return left


def _operand(reader):
    if reader.skip("("):
        tree = parse(reader)
        reader.expect(")")
        return tree
    if reader.skip("["):
        return ("list", _elements(reader))
    token = reader.next()
    if token.kind in ("text", "number"):
        return ("value", token.value)
    if token.kind == "word":
        return _word(token.value, reader)
    raise reader.fail("a value was expected, not %s" % token.value)


def _elements(reader):
    """The elements of a list, up to its closing bracket."""
    found = []
    while not reader.skip("]"):
        if found:
            reader.expect(",")
        found.append(_operand(reader))
    return found


def _word(word, reader):
    """A constant, a function or an attribute."""
    if word in ("true", "false"):
        return ("value", word == "true")
    if word in FUNCTIONS and reader.skip("("):
        argument = _operand(reader)
        reader.expect(")")
        if word == "has" and argument[0] != "attribute":
            raise reader.fail("has wants an attribute")
        return (word, argument)
    source, _, name = word.partition(".")
    if source not in SOURCES or not name:
        raise reader.fail("%s is no value" % word)
    return ("attribute", source, name)
