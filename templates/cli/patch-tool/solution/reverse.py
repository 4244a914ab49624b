"""The way back."""
from delta.hunk import Hunk
from delta.order import settled

OTHER = {"=": "=", "-": "+", "+": "-"}


def reverse(hunks):
    """Hunks that undo these."""
    return [Hunk(hunk.new, hunk.old, settled([(OTHER[kind], line) for kind, line in hunk.ops])) for hunk in hunks]
