import os
import time
import unittest


def age():
    """The seconds since the sandbox began, as well as its clocks tell."""
    ages = [time.time() - os.stat("/work").st_ctime]
    try:
        with open("/proc/uptime") as uptime, open("/proc/1/stat") as first:
            started = int(first.read().rpartition(")")[2].split()[19])
            ages.append(float(uptime.read().split()[0]) - started / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        pass
    return max(ages)


EARLY = age() < 1.5


class Early(unittest.TestCase):
    def test_first(self):
        self.assertTrue(EARLY)

    def test_second(self):
        self.assertTrue(EARLY)

    def test_third(self):
        self.assertTrue(EARLY)


if __name__ == "__main__":
    unittest.main()
