"""Jobs and their states."""

from leaseq.pauses import USUAL

WAITING, READY, LEASED = "waiting", "ready", "leased"
DONE, DEAD, CANCELLED = "done", "dead", "cancelled"
STATES = (WAITING, READY, LEASED, DONE, DEAD, CANCELLED)


class Job:
    """What is to be done, and how far it is."""

    def __init__(self, name, topic="main", priority=0, delay=0, tries=3, lease=60, after=(), key=None, pause=USUAL):
        self.name = name
        self.topic = topic
        self.priority = priority
        self.delay = delay
        self.tries = tries
        self.lease = lease
        self.after = list(after)
        self.key = key
        self.pause = pause
        #: What the queue sets.
        self.number = 0
        self.state = WAITING
        self.tried = 0
        self.ready_at = 0
        self.worker = None
        self.lease_ends = None
        self.first_wait = None

    def has_ended(self):
        return self.state in (DONE, DEAD, CANCELLED)

    def is_ready(self, now):
        """Whether it may be taken."""
        return self.state == READY and self.ready_at <= now

    def make_ready(self, at):
        """It may be taken from a time on."""
        self.state = READY
        self.ready_at = at
        self.drop_lease()

    def start(self, worker, now):
        """A worker takes it."""
        if self.first_wait is None:
            self.first_wait = now - self.ready_at
        self.state = LEASED
        self.worker = worker
        self.tried += 1
        self.lease_ends = now + self.lease

    def end(self, state):
        """It is over."""
        self.state = state
        self.drop_lease()

    def drop_lease(self):
        self.worker = None
        self.lease_ends = None


def score(job, now, aging):
    """How soon a ready job is wanted."""
    waited = max(now - job.ready_at, 0)
    return job.priority + waited // aging
