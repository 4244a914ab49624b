"""A clock that only its user moves, and durations as text."""

import re

UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")


class Clock:
    """Seconds since the start."""

    def __init__(self):
        self.now = 0

    def advance(self, seconds):
        """Moves the clock forward."""
        if seconds < 0:
            raise ValueError("a clock goes forward only")
        self.now += seconds


def parse_duration(text):
    """The seconds of a duration; None if it is none."""
    match = DURATION.match(text)
    if not text or match is None:
        return None
    total = 0
    for number, (_, seconds) in zip(match.groups(), UNITS):
        total += int(number or 0) * seconds
    return total


def format_duration(seconds):
    """A duration as text, the largest unit first."""
    text = ""
    for unit, size in UNITS:
        count = seconds // size
        seconds -= count * size
        if count:
            text += "%d%s" % (count, unit)
    return text or "0s"
