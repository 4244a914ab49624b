"""Which jobs wait for which."""

from leaseq.jobs import CANCELLED, DEAD, DONE


class Graph:
    """The jobs that wait for each job."""

    def __init__(self):
        self.waiting = {}

    def add(self, job):
        for name in job.after:
            self.waiting.setdefault(name, []).append(job)

    def followers(self, name):
        """The jobs that wait for a job itself, in the order in which they were put."""
        return self.waiting.get(name, [])

    def all_followers(self, name):
        """All that wait for a job, also by others, nearest first, each once."""
        found, queue = [], [name]
        for current in queue:
            for job in self.followers(current):
                if job not in found:
                    found.append(job)
                    queue.append(job.name)
        return found


def is_free(job, jobs):
    """Whether all that a job waits for is done."""
    return all(jobs[name].state == DONE for name in job.after)


def is_lost(job, jobs):
    """Whether something that a job waits for will never be done."""
    return any(jobs[name].state in (DEAD, CANCELLED) for name in job.after)
