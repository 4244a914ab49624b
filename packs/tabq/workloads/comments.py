"""A query with many lines of comments."""

from tabq.lexer import tokens


def data(size, draw):
    return "".join("-- %d\nv%d\n" % (draw.randrange(100), draw.randrange(10)) for _ in range(size))


def work(text):
    return [[token.kind, token.value, token.at] for token in tokens(text)]
