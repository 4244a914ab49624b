import unittest


class Trivial(unittest.TestCase):
    def test_first(self):
        self.assertTrue(True)

    def test_second(self):
        self.assertEqual(1, 1)

    def test_third(self):
        self.assertIsNotNone(self)

    def test_fourth(self):
        self.assertIn(1, [1])

    def test_fifth(self):
        self.assertFalse(False)


if __name__ == "__main__":
    unittest.main()
