import unittest

from lending.fines import Account, due_day, fine


class SmokeTest(unittest.TestCase):
    def test_fine(self):
        self.assertEqual(fine(0, "book"), 0)

    def test_borrow(self):
        self.assertEqual(Account().borrow("a", "book", 3), due_day(3, "book"))


if __name__ == "__main__":
    unittest.main()
