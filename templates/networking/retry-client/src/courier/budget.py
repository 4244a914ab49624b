"""Repetitions of all calls of a client together are bounded: when everything fails, they only add to the load."""
from courier.limits import COST, FULL


class Budget:
    def __init__(self):
        self.tokens = FULL

    def allows(self):
        return self.tokens >= COST

    def charge(self):
        self.tokens -= COST

    def earn(self):
        self.tokens = min(FULL, self.tokens + 1)
