"""The queue."""

from leaseq.errors import Refused
from leaseq.graph import Graph, is_free, is_lost
from leaseq.jobs import CANCELLED, DEAD, DONE, LEASED, WAITING, score
from leaseq.journal import Journal
from leaseq.limits import Limits


class Queue:
    """Jobs on a clock."""

    def __init__(self, clock, aging=600):
        self.clock = clock
        self.aging = aging
        self.jobs = {}
        self.graph = Graph()
        self.limits = Limits()
        self.journal = Journal()

    def say(self, kind, name, *more):
        self.journal.say(self.clock.now, kind, name, *more)

    def put(self, job):
        """Takes a new job in."""
        self.expire()
        if job.name in self.jobs:
            raise Refused("%s is there already" % job.name)
        for name in job.after:
            if name not in self.jobs:
                raise Refused("%s is not there" % name)
        if job.key is not None and self.holder(job.key) is not None:
            raise Refused("%s has the key %s" % (self.holder(job.key).name, job.key))
        job.number = len(self.jobs)
        self.jobs[job.name] = job
        self.graph.add(job)
        self.say("put", job.name)
        if is_lost(job, self.jobs):
            self.end(job, CANCELLED, "cancel")
        elif is_free(job, self.jobs):
            job.make_ready(self.clock.now + job.delay)

    def holder(self, key):
        """The job that has a key and has not ended; None if there is none."""
        for job in self.jobs.values():
            if job.key == key and not job.has_ended():
                return job
        return None

    def take(self, worker, topics=()):
        """Gives the next job to a worker; None if there is none."""
        self.expire()
        job = self.next(topics)
        if job is None:
            return None
        job.start(worker, self.clock.now)
        self.limits.taken(job.topic, self.clock.now)
        self.say("take", job.name, worker, job.tried)
        return job

    def next(self, topics=()):
        """The job that would be taken."""
        now = self.clock.now
        ready = [job for job in self.jobs.values() if job.is_ready(now) and (not topics or job.topic in topics)]
        allowed = {topic for topic in {job.topic for job in ready} if self.limits.allows(topic, self.leased(topic), now)}
        ready = [job for job in ready if job.topic in allowed]
        if not ready:
            return None
        return min(ready, key=lambda job: (-score(job, now, self.aging), job.number))

    def leased(self, topic):
        """How many jobs of a topic are leased."""
        return sum(job.state == LEASED and job.topic == topic for job in self.jobs.values())

    def get(self, name):
        """A job by its name."""
        if name not in self.jobs:
            raise Refused("%s is not there" % name)
        return self.jobs[name]

    def held(self, name, worker):
        """A job that a worker has."""
        self.expire()
        job = self.get(name)
        if job.state != LEASED or job.worker != worker:
            raise Refused("%s does not have %s" % (worker, name))
        return job

    def extend(self, name, worker):
        """Begins the lease of a job anew."""
        job = self.held(name, worker)
        job.lease_ends = self.clock.now + job.lease
        self.say("extend", name, worker, job.lease_ends)

    def done(self, name, worker):
        """A worker has done a job."""
        job = self.held(name, worker)
        job.end(DONE)
        self.say("done", name, worker)
        for follower in self.graph.followers(name):
            if follower.state == WAITING and is_free(follower, self.jobs):
                follower.make_ready(self.clock.now + follower.delay)
                self.say("ready", follower.name)

    def fail(self, name, worker):
        """A worker could not do a job."""
        job = self.held(name, worker)
        self.say("fail", name, worker)
        self.give_back(job, self.clock.now)

    def give_back(self, job, now):
        """A job has failed: it pauses, or is dead."""
        if job.tried >= job.tries:
            self.end(job, DEAD, "dead")
            return
        job.make_ready(now + job.pause.after(job.tried))
        self.say("retry", job.name, job.ready_at)

    def end(self, job, state, kind):
        """Ends a job that is not done, and cancels all that wait for it."""
        job.end(state)
        self.say(kind, job.name)
        for follower in self.graph.all_followers(job.name):
            if not follower.has_ended():
                follower.end(CANCELLED)
                self.say("cancel", follower.name)

    def cancel(self, name):
        """Ends a job, whoever has it."""
        self.expire()
        job = self.get(name)
        if job.has_ended():
            raise Refused("%s has ended" % name)
        self.end(job, CANCELLED, "cancel")

    def revive(self, name):
        """Makes a dead job ready again."""
        self.expire()
        job = self.get(name)
        if job.state != DEAD:
            raise Refused("%s is not dead" % name)
        if job.key is not None and self.holder(job.key) is not None:
            raise Refused("%s has the key %s" % (self.holder(job.key).name, job.key))
        job.tried = 0
        job.make_ready(self.clock.now)
        self.say("revive", name)

    def expire(self):
        """Deals with leases that have ended. A job pauses from the end of its lease on."""
        now = self.clock.now
        late = [job for job in self.jobs.values() if job.state == LEASED and job.lease_ends <= now]
        for job in sorted(late, key=lambda job: (job.lease_ends, job.number)):
            ended = job.lease_ends
            self.say("expire", job.name, job.worker)
            self.give_back(job, ended)
