"""Parses queries by recursive descent."""

from decimal import Decimal

from tabq import nodes
from tabq.errors import QueryError
from tabq.functions import AGGREGATES, arity_of
from tabq.lexer import tokens

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")


def parse(text):
    """The query that a text says."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text):
        self.text = text
        self.tokens = tokens(text)
        self.next = 0

    # Tokens

    def peek(self):
        return self.tokens[self.next]

    def take(self):
        token = self.tokens[self.next]
        if token.kind != "end":
            self.next += 1
        return token

    def accept(self, kind, *values):
        """The next token if it is one of these, and then it is taken; else None."""
        token = self.peek()
        if token.kind == kind and (not values or token.value in values):
            return self.take()
        return None

    def expect(self, kind, value):
        token = self.accept(kind, value)
        if token is None:
            raise self.unexpected(value)
        return token

    def unexpected(self, wanted):
        token = self.peek()
        found = "the end" if token.kind == "end" else repr(token.value)
        return QueryError("%s was expected, but there is %s" % (wanted, found), token.at)

    # The query

    def query(self):
        query = nodes.Query()
        self.expect("word", "select")
        query.distinct = self.accept("word", "distinct") is not None
        query.items = self.items()
        if self.accept("word", "from"):
            if not self.accept("name"):
                raise self.unexpected("a name")
        if self.accept("word", "where"):
            start = self.peek().at
            query.where = self.expression()
            self.forbid_aggregates(query.where, "where", start)
        if self.accept("word", "group"):
            self.expect("word", "by")
            query.group = self.listed(self.expression)
        if self.accept("word", "having"):
            query.having = self.expression()
        if self.accept("word", "order"):
            self.expect("word", "by")
            query.order = self.listed(self.order_key)
        if self.accept("word", "limit"):
            query.limit = self.whole_number()
            if self.accept("word", "offset"):
                query.offset = self.whole_number()
        if self.peek().kind != "end":
            raise self.unexpected("the end of the query")
        return query

    def forbid_aggregates(self, expression, clause, at):
        if has_aggregate(expression):
            raise QueryError("%s cannot have an aggregate; use having" % clause, at)

    def listed(self, one):
        """One or more of something, with commas between."""
        found = [one()]
        while self.accept("sign", ","):
            found.append(one())
        return found

    def items(self):
        if self.accept("sign", "*"):
            return None
        return self.listed(self.item)

    def item(self):
        first = self.next
        expression = self.expression()
        name = self.written(first, self.next)
        if self.accept("word", "as"):
            token = self.accept("name")
            if token is None:
                raise self.unexpected("a name")
            name = token.value
        return nodes.Item(expression, name)

    def written(self, first, end):
        """Tokens as text: words of the language and names are kept apart, signs stand close."""
        parts = []
        for place in range(first, end):
            token = self.tokens[place]
            is_wordlike = token.kind in ("word", "name", "number", "text")
            if parts and is_wordlike and self.tokens[place - 1].kind in ("word", "name", "number", "text"):
                parts.append(" ")
            if token.kind == "text":
                parts.append("'%s'" % token.value.replace("'", "''"))
            else:
                parts.append(token.value)
        return "".join(parts)

    def order_key(self):
        expression = self.expression()
        descending = self.accept("word", "desc") is not None
        if not descending:
            self.accept("word", "asc")
        return nodes.Order(expression, descending)

    def whole_number(self):
        token = self.accept("number")
        if token is None:
            raise self.unexpected("a number")
        if "." in token.value:
            raise QueryError("%s is no whole number" % token.value, token.at)
        return int(token.value)

    # Expressions, from the weakest operator to the strongest

    def expression(self):
        left = self.conjunction()
        while self.accept("word", "or"):
            left = nodes.Binary("or", left, self.conjunction())
        return left

    def conjunction(self):
        left = self.negation()
        while self.accept("word", "and"):
            left = nodes.Binary("and", left, self.negation())
        return left

    def negation(self):
        if self.accept("word", "not"):
            return nodes.Unary("not", self.negation())
        return self.comparison()

    def comparison(self):
        left = self.sum()
        token = self.accept("sign", *COMPARISONS)
        if token:
            return nodes.Binary(token.value, left, self.sum())
        if self.accept("word", "is"):
            negated = self.accept("word", "not") is not None
            self.expect("word", "null")
            test = nodes.Unary("is null", left)
            return nodes.Unary("not", test) if negated else test
        negated = self.accept("word", "not") is not None
        test = self.predicate(left)
        if test is None:
            if negated:
                raise self.unexpected("like, in or between")
            return left
        return nodes.Unary("not", test) if negated else test

    def predicate(self, left):
        """`like`, `in` or `between` after their left side; None if there is none of them."""
        if self.accept("word", "like"):
            return nodes.Binary("like", left, self.sum())
        if self.accept("word", "in"):
            self.expect("sign", "(")
            choices = self.listed(self.expression)
            self.expect("sign", ")")
            return nodes.Among(left, tuple(choices))
        if self.accept("word", "between"):
            low = self.sum()
            self.expect("word", "and")
            high = self.sum()
            return nodes.Binary("and", nodes.Binary(">=", left, low), nodes.Binary("<=", left, high))
        return None

    def sum(self):
        left = self.product()
        while True:
            token = self.accept("sign", "+", "-", "||")
            if token is None:
                return left
            left = nodes.Binary(token.value, left, self.product())

    def product(self):
        left = self.signed()
        while True:
            token = self.accept("sign", "*", "/", "%")
            if token is None:
                return left
            left = nodes.Binary(token.value, left, self.signed())

    def signed(self):
        if self.accept("sign", "-"):
            return nodes.Unary("-", self.signed())
        return self.primary()

    def primary(self):
        token = self.take()
        if token.kind == "number":
            return nodes.Constant(Decimal(token.value))
        if token.kind == "text":
            return nodes.Constant(token.value)
        if token.kind == "word" and token.value in ("null", "true", "false"):
            return nodes.Constant({"null": None, "true": True, "false": False}[token.value])
        if token.kind == "sign" and token.value == "(":
            inner = self.expression()
            self.expect("sign", ")")
            return inner
        if token.kind == "name":
            if self.accept("sign", "("):
                return self.call(token)
            return nodes.Column(token.value, token.at)
        if token.kind != "end":
            self.next -= 1
        raise self.unexpected("an expression")

    def call(self, token):
        name = token.value.lower()
        if name == "count" and self.accept("sign", "*"):
            self.expect("sign", ")")
            return nodes.CountAll(token.at)
        arguments = [] if self.peek().value == ")" else self.listed(self.expression)
        self.expect("sign", ")")
        least, most = arity_of(name, token.at)
        if len(arguments) < least or (most is not None and len(arguments) > most):
            raise QueryError("%s takes another number of arguments" % name, token.at)
        if name in AGGREGATES and any(has_aggregate(argument) for argument in arguments):
            raise QueryError("an aggregate cannot stand in another one", token.at)
        return nodes.Call(name, tuple(arguments), token.at)


def has_aggregate(expression):
    """Whether an expression needs the rows of a group."""
    for node in nodes.walk(expression):
        if isinstance(node, nodes.CountAll):
            return True
        if isinstance(node, nodes.Call) and node.name in AGGREGATES:
            return True
    return False
