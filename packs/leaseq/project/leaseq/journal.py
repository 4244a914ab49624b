"""What has happened to jobs."""

from collections import namedtuple


class Event(namedtuple("Event", "time kind name more")):
    """A change of a job. `more` is a tuple of what else is known."""

    def __str__(self):
        words = [str(self.time), self.kind, self.name]
        words += [str(word) for word in self.more]
        return " ".join(words)


class Journal:
    """All events in their order."""

    def __init__(self):
        self.events = []
        self.shown = 0

    def say(self, time, kind, name, *more):
        self.events.append(Event(time, kind, name, more))

    def news(self):
        """The events that were not given out before, as text."""
        found = [str(event) for event in self.events[self.shown :]]
        self.shown = len(self.events)
        return found

    def of(self, name):
        """The kinds of events of one job."""
        return [event.kind for event in self.events if event.name == name]
