"""A clock that nobody has to wait for, and a payment service that can be told to misbehave.

    python3 -B play/world.py

plays the scenes at the end of this file. Add your own.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from courier import Client, Response, errors  # noqa: E402


class Clock:
    def __init__(self):
        self.time = 0

    def now(self):
        return self.time

    def sleep(self, ms):
        print("    sleep %d" % ms)
        self.time += ms


class Service:
    """`plan` says what happens to each attempt: (what, ms) or (what, ms, headers). What is a status, "refused", "lost before",
    "lost after" or "slow" (it acts, but answers after the time-out)."""

    def __init__(self, clock, plan):
        self.clock, self.plan, self.done, self.effects = clock, list(plan), {}, 0

    def send(self, method, path, headers, body, timeout):
        what, ms, *more = self.plan.pop(0) if self.plan else (200, 1)
        print("    %6d %s %s %s, %d ms: %s" % (self.clock.time, method, path, headers, timeout, what))
        self.clock.time += min(ms, timeout)
        if what == "refused":
            raise errors.Refused()
        if what != "lost before" and (isinstance(what, str) or what < 300):
            key = headers.get("Idempotency-Key", len(self.done))
            self.effects += key not in self.done
            self.done[key] = body
        if ms > timeout or what == "slow":
            raise errors.TimedOut()
        if isinstance(what, str):
            raise errors.Lost()
        return Response(what, more[0] if more else [])


def scene(title, plan, *calls):
    print(title)
    clock = Clock()
    service = Service(clock, plan)
    client = Client("shop", service, clock, lambda n: n // 2)
    for method, path, body, *more in calls:
        try:
            print("  %s -> %d" % (method, client.call(method, path, body, *more).status))
        except Exception as error:
            print("  %s -> %s: %s" % (method, type(error).__name__, error))
    print("  at %d, %d effects" % (clock.time, service.effects))


if __name__ == "__main__":
    scene("all well", [], ("GET", "/a", None), ("POST", "/pay", "5"), ("POST", "/pay", "5"))
    scene("a bad minute", [(503, 5), ("lost after", 5), (200, 5)], ("POST", "/pay", "7"))
