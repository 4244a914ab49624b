"""Takes the lines of a policy apart."""

import re
from collections import namedtuple

from warden.errors import PolicyError

#: `kind` is word, text, number or sign.
Token = namedtuple("Token", "kind value")

FORMS = re.compile(
    r'\s*(?:(?P<comment>#.*)|(?P<text>"[^"]*")|(?P<sign>==|!=|<=|>=|[<>\[\](),])|(?P<number>-?\d+(?![\w./*{@-]))'
    r'|(?P<word>[\w./*{}@-]+))'
)


def tokens(line, number):
    """The tokens of a line, without its comment."""
    found, at, line = [], 0, line.rstrip()
    while at < len(line):
        match = FORMS.match(line, at)
        if match is None:
            raise PolicyError(number, "%s was not expected" % line[at:].strip()[:1])
        at = match.end()
        kind, text = match.lastgroup, match.group(match.lastgroup)
        if kind == "text":
            found.append(Token("text", text[1:-1]))
        elif kind == "number":
            found.append(Token("number", int(text)))
        elif kind != "comment":
            found.append(Token(kind, text))
    return found


class Reader:
    """Reads tokens one after the other."""

    def __init__(self, found, line):
        self.found = found
        self.line = line
        self.at = 0

    def peek(self):
        """The next token; one of the kind end behind the last one."""
        return self.found[self.at] if self.at < len(self.found) else Token("end", "the end of the line")

    def next(self):
        token = self.peek()
        self.at += 1
        return token

    def is_next(self, *values):
        """Whether the next token is one of some words or signs."""
        token = self.peek()
        return token.kind in ("word", "sign") and token.value in values

    def skip(self, value):
        """Takes a word or a sign, if it is the next one."""
        if not self.is_next(value):
            return False
        self.at += 1
        return True

    def expect(self, value):
        if not self.skip(value):
            raise self.fail("%s was expected, not %s" % (value, self.peek().value))

    def word(self, what):
        """The next word."""
        if self.peek().kind != "word":
            raise self.fail("%s was expected, not %s" % (what, self.peek().value))
        return self.next().value

    def words(self, what):
        """Words with commas between them."""
        found = [self.word(what)]
        while self.skip(","):
            found.append(self.word(what))
        return found

    def is_done(self):
        return self.peek().kind == "end"

    def fail(self, message):
        return PolicyError(self.line, message)
