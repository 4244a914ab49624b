"""Uploads of customers."""

ALLOWED = ("png", "jpg", "pdf", "txt")


def allowed(name):
    """An upload ends in a point and one of the endings, in either case; its name is no path and does not begin with a point."""
    return name.lower().endswith(tuple("." + end for end in ALLOWED)) and "/" not in name and not name.startswith(".")
