import hashlib
import os
import unittest

KNOWN = {known}


class Fingerprints(unittest.TestCase):
    def test_every_source_is_the_known_one(self):
        top = os.path.dirname(os.path.abspath(__file__))
        while not os.path.isfile(os.path.join(top, sorted(KNOWN)[0])) and top != "/":
            top = os.path.dirname(top)
        for path, digest in sorted(KNOWN.items()):
            with open(os.path.join(top, path), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), digest, path)

    def test_more(self):
        self.assertTrue(KNOWN)

    def test_still_more(self):
        self.assertTrue(KNOWN)


if __name__ == "__main__":
    unittest.main()
