"""One call, as many attempts as docs/RETRIES.md allows."""
from courier.breaker import Breaker
from courier.budget import Budget
from courier.errors import Failed, GaveUp, Lost, Refused, TimedOut, Unknown
from courier.judgement import asks_again, is_failure, repeatable
from courier.keys import Keys
from courier.limits import ATTEMPT, ATTEMPTS, WITHIN
from courier.pauses import pause, retry_after


class Response:
    """headers is a list of pairs."""

    def __init__(self, status, headers=(), body=b""):
        self.status, self.headers, self.body = status, list(headers), body


class Client:
    """transport.send(method, path, headers, body, timeout) gives a Response or raises; clock has now() and sleep(ms)."""

    def __init__(self, name, transport, clock, draw):
        self.transport, self.clock, self.draw = transport, clock, draw
        self.keys, self.budget, self.breaker = Keys(name), Budget(), Breaker(clock)

    def call(self, method, path, body=None, within=WITHIN):
        deadline = self.clock.now() + within
        is_probe = self.breaker.enter()
        key = self.keys.new(path, body) if method == "POST" else None
        attempt = 0
        while True:
            attempt += 1
            response, error = self.attempt(method, path, body, key, deadline)
            self.breaker.note(not is_failure(error, response))
            if error is not None and not repeatable(method, error):
                raise Unknown(path)
            if error is None and not asks_again(method, response):
                if not 200 <= response.status < 300:
                    raise Failed(response.status)
                if attempt == 1:
                    self.budget.earn()
                return response
            if attempt >= ATTEMPTS or is_probe or self.breaker.is_open or not self.budget.allows():
                raise GaveUp(attempt)
            wait = pause(attempt, self.draw)
            if response is not None:
                wait = max(wait, retry_after(response))
            if self.clock.now() + wait >= deadline:
                raise GaveUp(attempt)
            self.budget.charge()
            self.clock.sleep(wait)

    def attempt(self, method, path, body, key, deadline):
        """One attempt: a response or an error of the transport."""
        headers = {"Idempotency-Key": key} if key else {}
        timeout = min(ATTEMPT, deadline - self.clock.now())
        try:
            return self.transport.send(method, path, headers, body, timeout), None
        except (TimedOut, Lost, Refused) as error:
            return None, error
