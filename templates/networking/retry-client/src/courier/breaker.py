"""The breaker of docs/RETRIES.md. Not written yet: this one is always closed."""


class Breaker:
    def __init__(self, clock):
        self.clock, self.is_open = clock, False

    def enter(self):
        """Before a call. Raises Open, or says whether this call is the probe."""
        return False

    def note(self, is_good):
        """After every attempt."""
