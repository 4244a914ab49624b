

class Counted(unittest.TestCase):
    def test_first(self):
        self.assertLess(EARLIER, {allowed})

    def test_second(self):
        self.assertLess(EARLIER, {allowed})

    def test_third(self):
        self.assertLess(EARLIER, {allowed})


if __name__ == "__main__":
    unittest.main()
