"""The differences of two texts."""


def make(old, new):
    """The hunks that lead from the lines `old` to the lines `new`."""
    raise NotImplementedError
