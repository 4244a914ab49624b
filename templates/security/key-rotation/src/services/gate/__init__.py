"""Services and their keys."""
