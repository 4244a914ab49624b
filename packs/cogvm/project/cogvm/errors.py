"""What can go wrong."""


class CogError(Exception):
    """Any mistake in a source, an image or a program."""


class SourceError(CogError):
    """A source that cannot be assembled. `line` is from 1."""

    def __init__(self, line, message):
        super().__init__("line %d: %s" % (line, message))
        self.line = line
        self.message = message


class ImageError(CogError):
    """Bytes that are no image."""


class Fault(CogError):
    """A program that cannot go on. `kind` is a word of README.md, `at` the place of the instruction."""

    def __init__(self, kind, at):
        super().__init__("%s at %d" % (kind, at))
        self.kind = kind
        self.at = at
