"""What can go wrong."""


class StoreError(Exception):
    """A file that cannot be used, or a key that cannot be kept."""
