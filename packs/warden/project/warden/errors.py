"""What can go wrong."""


class PolicyError(Exception):
    """A policy that cannot be read. `line` is from 1."""

    def __init__(self, line, message):
        super().__init__("line %d: %s" % (line, message))
        self.line = line
        self.message = message


class ConditionError(Exception):
    """A condition that has no value for a request."""
