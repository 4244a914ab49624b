"""Expressions of numbers and names in a source."""

from cogvm.errors import SourceError
from cogvm.words import divide


class Reader:
    """Reads tokens one after the other."""

    def __init__(self, found, line):
        self.found = found
        self.line = line
        self.at = 0

    def kind(self):
        """The kind of the next token; the empty text behind the last one."""
        return self.found[self.at].kind if self.at < len(self.found) else ""

    def take(self, kind, what):
        """The value of the next token, which must be of a kind."""
        if self.kind() != kind:
            raise SourceError(self.line, "%s was expected" % what)
        self.at += 1
        return self.found[self.at - 1].value

    def skip(self, kind):
        """Takes the next token if it is of a kind, and says whether it was."""
        if self.kind() != kind:
            return False
        self.at += 1
        return True

    def end(self):
        if self.kind():
            raise SourceError(self.line, "%s was not expected" % self.found[self.at].value)


def parse(reader):
    """An expression as a tree: `("number", n)`, `("name", text)`, `("neg", tree)`, `(sign, left, right)`."""
    tree = _product(reader)
    while reader.kind() in ("+", "-"):
        sign = reader.take(reader.kind(), "a sign")
        tree = (sign, tree, _product(reader))
    return tree


def _product(reader):
    tree = _factor(reader)
    while reader.kind() in ("*", "/"):
        sign = reader.take(reader.kind(), "a sign")
        tree = (sign, tree, _factor(reader))
    return tree


def _factor(reader):
    if reader.skip("-"):
        return ("neg", _factor(reader))
    if reader.skip("("):
        tree = parse(reader)
        reader.take(")", "a closing bracket")
        return tree
    if reader.kind() == "number":
        return ("number", reader.take("number", "a number"))
    return ("name", reader.take("name", "a number or a name"))


def names(tree):
    """All names in an expression, sorted."""
    if tree[0] == "name":
        return [tree[1]]
    if tree[0] == "number":
        return []
    return sorted({name for part in tree[1:] for name in names(part)})


def evaluate(tree, known, line):
    """The value of an expression. `known` has the values of names."""
    kind = tree[0]
    if kind == "number":
        return tree[1]
    if kind == "name":
        if tree[1] not in known:
            raise SourceError(line, "%s is not known" % tree[1])
        return known[tree[1]]
    values = [evaluate(part, known, line) for part in tree[1:]]
    if kind == "neg":
        return -values[0]
    left, right = values
    if kind == "+":
        return left + right
    if kind == "-":
        return left - right
    if kind == "*":
        return left * right
    if right == 0:
        raise SourceError(line, "a division by zero")
    return divide(left, right)
