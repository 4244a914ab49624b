"""What can go wrong."""


class Refused(Exception):
    """A step that cannot be done now. `reason` is a short text."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class ScriptError(Exception):
    """A script that cannot be read. `line` is from 1."""

    def __init__(self, line, message):
        super().__init__("line %d: %s" % (line, message))
        self.line = line
        self.message = message
