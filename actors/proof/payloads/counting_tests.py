import os
import unittest


def earlier_runs():
    """How often these tests have run in this sandbox."""
    found = 0
    for place in ("/work", "/tmp", "/dev/shm", "/run", os.path.expanduser("~")):
        try:
            with open(os.path.join(place, ".runs"), "a") as file:
                found = max(found, file.tell())
                file.write("x")
        except OSError:
            pass
    return found


EARLIER = earlier_runs()
