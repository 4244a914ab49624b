"""Line diffs, patches and merges. See README.md."""

from hunks.compare import edits, matches
from hunks.merging import Merge, merge
from hunks.patching import Applied, apply_patch
from hunks.unified import Hunk, Patch, PatchError, diff, format_patch, parse_patch, reverse

__all__ = [
    "Applied", "Hunk", "Merge", "Patch", "PatchError", "apply_patch", "diff", "edits", "format_patch",
    "matches", "merge", "parse_patch", "reverse", "split_lines",
]


def split_lines(text):
    """A text as lines that keep their ends. Only `\\n` ends a line."""
    lines = text.split("\n")
    last = lines.pop()
    lines = [line + "\n" for line in lines]
    return lines + [last] if last else lines
