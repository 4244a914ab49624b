"""Passwords may not be guessed."""


def may_try(failures, now):
    """Whether an address may try a password: it has failed less than five times in the last 900 seconds, this one included. `failures` are times, in order."""
    return sum(now - 900 < one <= now for one in failures) < 5
