"""A queue of jobs with leases. See README.md."""

from leaseq.clock import Clock
from leaseq.errors import Refused, ScriptError
from leaseq.jobs import Job
from leaseq.limits import Limit, Limits
from leaseq.pauses import Pause
from leaseq.queue import Queue
from leaseq.stats import stats

__all__ = ["Clock", "Job", "Limit", "Limits", "Pause", "Queue", "Refused", "ScriptError", "stats"]
