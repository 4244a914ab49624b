"""A tree of keys and texts in a file of pages. docs/FORMAT.md says what the file looks like."""
from pagetree.tree import Tree

__all__ = ["Tree"]
