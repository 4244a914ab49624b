"""How long a job pauses after a failure."""

from collections import namedtuple

from leaseq.clock import format_duration, parse_duration

KINDS = ("fixed", "linear", "double")


class Pause(namedtuple("Pause", "kind first most")):
    """A kind of pause, the first duration, and the longest one."""

    def after(self, tries):
        """The pause after so many tries."""
        if self.kind == "fixed":
            return self.first
        if self.kind == "linear":
            return min(self.first * tries, self.most)
        return min(self.first * 2 ** (tries - 1), self.most)

    def __str__(self):
        words = [self.kind, format_duration(self.first)]
        if self.kind != "fixed":
            words.append(format_duration(self.most))
        return ":".join(words)


USUAL = Pause("double", 10, 3600)


def parse_pause(text):
    """A pause from text, such as `double:10s:1h`; None if it is none."""
    words = text.split(":")
    if words[0] not in KINDS:
        return None
    if len(words) != (2 if words[0] == "fixed" else 3):
        return None
    times = [parse_duration(word) for word in words[1:]]
    if None in times:
        return None
    return Pause(words[0], times[0], times[-1])
