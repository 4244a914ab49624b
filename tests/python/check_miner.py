"""Tries the twins of the miner: `check_miner.py MINER`, in an empty directory.

The same test has the same twins every time. A twin does not tell which value is the right one: the
other value is before it or behind it."""

import os
import runpy
import sys

SOURCE = """import unittest


class Sums(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(total([38, 2]), 40)
        self.assertEqual(name(40), "mmm")
"""

os.makedirs("project/tests")
with open("project/tests/test_sums.py", "w", encoding="utf-8") as file:
    file.write(SOURCE)
miner = runpy.run_path(sys.argv[1], run_name="miner")
place = miner["test_places"](["tests/test_sums.py"])["tests.test_sums.Sums.test_sum"]


def twins():
    """The texts of the twins that a test of each of these names would have."""
    found = [miner["twins_of"]("test %d" % number, place) for number in range(300)]
    return [[twin["text"] for twin in copies] for copies in found]


first = twins()
assert first == twins(), "the same name has other twins"
assert all(len(copies) == 2 for copies in first), first
texts = {text for copies in first for text in copies}
numbers = sorted(int(text) for text in texts if text.isdigit())
assert numbers == [37, 38, 39, 41, 42, 43], numbers
words = sorted(text for text in texts if not text.isdigit())
assert words == ['"mmk"', '"mml"', '"mmn"', '"mmo"'], words
print("twins move in both directions")
