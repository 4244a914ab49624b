"""What a call can end with, and what a transport can raise."""


class Refused(Exception):
    """The transport: nothing was sent, the server knows nothing of it."""


class Lost(Exception):
    """The transport: sent, but the connection ended before an answer came."""


class TimedOut(Exception):
    """The transport: sent, but no answer came in time."""


class Open(Exception):
    """The call: not tried, because the breaker is open."""


class Failed(Exception):
    """The call: the server said no."""

    def __init__(self, status):
        super().__init__("status %d" % status)
        self.status = status


class Unknown(Exception):
    """The call: nobody knows whether the server has acted, and a repetition could act twice."""


class GaveUp(Exception):
    """The call: it would be repeated, but a rule forbids it."""

    def __init__(self, attempts):
        super().__init__("after %d attempts" % attempts)
        self.attempts = attempts
