"""Why an archive is refused."""


class Refused(Exception):
    """The first argument is the reason, one of those in docs/RULES.md."""
