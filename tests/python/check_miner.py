"""Tries the twins, the baseline and the trace of the miner: `check_miner.py MINER`, in an empty directory.

The same test has the same twins every time. A twin does not tell which value is the right one: the
other value is before it or behind it. The baseline runs no test that is deselected, and names the
modules of tests that cannot be imported. A trace has time for a slow test. A child imports the modules of
tests that it needs, and stops where too many fail."""

import json
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

ODD = """import os
import unittest


class Odd(unittest.TestCase):
    def test_exit(self):
        os._exit(3)

    def test_fail(self):
        self.fail()

    def test_right(self):
        self.assertEqual(1 + 1, 2)
"""

for path, text in {"test_sums": ODD, "test_lost": "import no_such_module\n", "deep/test_sums": ODD}.items():
    os.makedirs(os.path.dirname("project/tests/" + path), exist_ok=True)
    with open("project/tests/%s.py" % path, "w", encoding="utf-8") as file:
        file.write(text)
os.makedirs("state")
exits = ["tests.test_sums.Odd.test_exit", "tests.deep.test_sums.Odd.test_exit"]
for deselected in ([], exits):
    with open("state/settings.json", "w", encoding="utf-8") as file:
        json.dump({"source": [], "tests": ["tests"], "deselected": deselected}, file)
    found = miner["baseline"]()
    assert ("error" in found) == (not deselected), found
assert found["passing"] == 2, found
assert found["unread"] == ["tests/test_lost.py"], found
assert found["left_out"] == {
    "tests.deep.test_sums.Odd.test_exit": "was deselected by hand",
    "tests.deep.test_sums.Odd.test_fail": "fails",
    "tests.test_lost": "cannot be imported",
    "tests.test_sums.Odd.test_exit": "was deselected by hand",
    "tests.test_sums.Odd.test_fail": "fails",
}, found
print("the baseline runs what is not deselected")

SLOW = """import unittest


class Slow(unittest.TestCase):
    def test_slow(self):
        total = 0
        for number in range(10000000):
            total += number
        self.assertEqual(total, 49999995000000)
"""

with open("project/lib.py", "w", encoding="utf-8") as file:
    file.write("ONE = 1\n")
with open("project/test_slow.py", "w", encoding="utf-8") as file:
    file.write(SLOW)
with open("state/settings.json", "w", encoding="utf-8") as file:
    json.dump({"source": ["lib.py"], "tests": ["test_slow.py"], "deselected": []}, file)
assert miner["baseline"]()["passing"] == 1
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
assert miner["candidates"]().get("tests") == 1, "a test that is slow under a trace is no hung one"
print("the trace has time")

PAIR = """import unittest

import lib

%s


class Shared(unittest.TestCase):
    def test_shared(self):
        self.assertEqual(lib.shared, 1)
"""

# The fork server has entered the project.
os.chdir(os.path.dirname(miner["ROOT"]))
pair = {"test_first.py": PAIR % "lib.shared = 1", "test_second.py": PAIR % ""}
for path, text in pair.items():
    with open("project/" + path, "w", encoding="utf-8") as file:
        file.write(text)
with open("state/settings.json", "w", encoding="utf-8") as file:
    json.dump({"source": ["lib.py"], "tests": sorted(pair), "deselected": []}, file)
assert miner["baseline"]()["passing"] == 2
assert miner["candidates"]().get("tests") == 2
assert miner["load"]("tests.json")["alone"] == ["test_first"], "the second module needs the first one"
server, tests = miner["server_and_tests"]()
second, both = {"test_second.Shared.test_shared"}, {test["test"] for test in tests}
results, _, ended = server.run([], second)
assert (ended, results[min(second)]) == ("done", ("ok", "")), "what a module needs is imported with it"
wrong = [(path, text.replace("(lib.shared, 1)", "(lib.shared, 2)").encode()) for path, text in pair.items()]
assert len(server.run(wrong, both)[0]) == 2
assert len(server.run(wrong, both, most=0)[0]) == 1, "it goes on where too many tests fail"
print("a child imports what its tests need, and stops where too many fail")
