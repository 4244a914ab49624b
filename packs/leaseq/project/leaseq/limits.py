"""Limits of topics."""

from collections import namedtuple
from fractions import Fraction

#: `at_once` is None without a limit; so are `jobs` and `seconds`, which make the rate.
Limit = namedtuple("Limit", "at_once jobs seconds", defaults=(None, None, None))


class Bucket:
    """Gives out so many pieces in so many seconds."""

    def __init__(self, jobs, seconds, now):
        self.most = jobs
        self.speed = Fraction(jobs, seconds)
        self.level = Fraction(jobs)
        self.at = now

    def fill(self, now):
        """Puts in what has come since the last time."""
        self.level = min(self.level + (now - self.at) * self.speed, self.most)
        self.at = now

    def has_one(self, now):
        """Whether a piece can be taken out."""
        self.fill(now)
        return self.level >= 1

    def take(self, now):
        """Takes a piece out."""
        self.fill(now)
        self.level -= 1


class Limits:
    """The limits of all topics."""

    def __init__(self):
        self.limits = {}
        self.buckets = {}

    def set(self, topic, limit, now=0):
        """Gives a topic a limit; a bucket begins full."""
        self.limits[topic] = limit
        self.buckets.pop(topic, None)
        if limit.jobs is not None:
            self.buckets[topic] = Bucket(limit.jobs, limit.seconds, now)

    def allows(self, topic, leased, now):
        """Whether a topic may have one job more. `leased` is how many it has."""
        limit = self.limits.get(topic)
        if limit is None:
            return True
        if limit.at_once is not None and leased >= limit.at_once:
            return False
        bucket = self.buckets.get(topic)
        return bucket is None or bucket.has_one(now)

    def taken(self, topic, now):
        """A job of a topic was taken."""
        bucket = self.buckets.get(topic)
        if bucket is not None:
            bucket.take(now)
