"""Plays scripts."""

from leaseq.clock import Clock
from leaseq.errors import Refused
from leaseq.jobs import Job
from leaseq.queue import Queue
from leaseq.script import limit_of
from leaseq.stats import stats, stats_text


class Player:
    """A queue, and what playing has printed. `refused` is how many steps were refused."""

    def __init__(self):
        self.queue = Queue(Clock())
        self.lines = []
        self.refused = 0

    def play(self, steps):
        """Does all steps. The lines that were printed."""
        for step in steps:
            self.queue.clock.advance(step.wait)
            try:
                answer = self.do(step)
            except Refused as refused:
                self.refused += 1
                answer = "refused: %s" % refused
            self.lines += self.queue.journal.news()
            if answer is not None:
                self.lines.append(answer)
        return self.lines

    def do(self, step):
        """Does one step. What it answers, or None."""
        if step.verb == "put":
            self.queue.put(Job(step.words[0], **step.options))
        elif step.verb == "limit":
            self.queue.limits.set(step.words[0], limit_of(step), self.queue.clock.now)
        elif step.verb == "take":
            job = self.queue.take(step.words[0], step.words[1:])
            return "got %s" % (job.name if job else "nothing")
        elif step.verb == "stats":
            self.queue.expire()
            return stats_text(stats(self.queue))
        else:
            getattr(self.queue, step.verb)(*step.words)
        return None
