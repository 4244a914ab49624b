import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from pagetree import Tree  # noqa: E402


class TreeTest(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)
        self.tree = Tree(os.path.join(self.place.name, "a.tree"))
        self.addCleanup(self.tree.close)

    def test_three_keys(self):
        for key in (5, 1, 3):
            self.tree.put(key, "v%d" % key)
        self.assertEqual([self.tree.get(key) for key in (1, 3, 5)], ["v1", "v3", "v5"])
        self.assertEqual(len(self.tree), 3)
        self.assertEqual(list(self.tree.scan(0, 4)), [(1, "v1"), (3, "v3")])

    def test_empty(self):
        with self.assertRaises(KeyError):
            self.tree.get(1)


if __name__ == "__main__":
    unittest.main()
