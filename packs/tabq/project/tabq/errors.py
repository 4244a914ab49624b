"""What a user did wrong."""


class QueryError(Exception):
    """A query that cannot be run. `at` is the character at fault, from 0, or None."""

    def __init__(self, message, at=None):
        super().__init__(message)
        self.message = message
        self.at = at

    def pointed(self, text):
        """The message, with the query and a caret below the place if there is one."""
        if self.at is None:
            return self.message
        before = text[: self.at]
        line_start = before.rfind("\n") + 1
        line_end = text.find("\n", self.at)
        line = text[line_start:] if line_end < 0 else text[line_start:line_end]
        return "%s\n  %s\n  %s^" % (self.message, line, " " * (self.at - line_start))
