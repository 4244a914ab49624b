import sys
from courier import Client, Response, errors


class Clock:
    def __init__(self, events):
        self.time, self.events = 0, events

    def now(self):
        return self.time

    def sleep(self, ms):
        self.events.append(["sleep", ms])
        if len(self.events) > 3000 or not isinstance(ms, int) or ms < 0:
            sys.exit("a sleep of %r" % ms)
        self.time += ms


class Service:
    """Acts once for each key; what happens to an attempt stands in the plan."""

    def __init__(self, clock, plan, events):
        self.clock, self.plan, self.events, self.keys, self.acts = clock, list(plan), events, [], []
        self.done = set()

    def send(self, method, path, headers, body, timeout):
        what, ms, more = self.plan.pop(0) if self.plan else [200, 1, []]
        key = headers.get("Idempotency-Key")
        if key is not None and key not in self.keys:
            self.keys.append(key)
        number = None if key is None else self.keys.index(key)
        self.events.append(["send", self.clock.time, method, path, number, sorted(name for name in headers), timeout])
        if len(self.events) > 3000:
            sys.exit("too many attempts")
        if what == "refused":
            self.clock.time += 1
            raise errors.Refused()
        self.clock.time += max(0, min(ms, timeout))
        if what == "lost-after" or isinstance(what, int) and what < 300:
            if key is None or key not in self.done:
                self.acts.append([method, path, body])
            self.done.add(key)
        if ms > timeout:
            raise errors.TimedOut()
        if isinstance(what, str):
            raise errors.Lost()
        return Response(what, [tuple(pair) for pair in more], b"")


def play(job):
    events = []
    clock = Clock(events)
    service = Service(clock, job["plan"], events)
    clients = [Client(name, service, clock, lambda n: n * job["share"] // 100) for name in job["clients"]]
    for who, method, path, body, within, gap in job["calls"]:
        clock.time += gap
        more = {} if within is None else {"within": within}
        try:
            events.append(["ok", clients[who].call(method, path, body, **more).status])
        except (errors.Open, errors.Failed, errors.Unknown, errors.GaveUp) as error:
            events.append([type(error).__name__, getattr(error, "status", getattr(error, "attempts", None))])
        except Exception as error:
            events.append([type(error).__name__, str(error)[:60]])
    return [events, service.acts]


def answer(jobs):
    return [play(job) for job in jobs]
