import unittest

from hunks import Hunk, apply_patch, diff
from hunks.patching import nearest


def hunk(start, text):
    """A hunk of letters: `=a -b +c`."""
    kinds = {"=": "keep", "-": "drop", "+": "add"}
    return Hunk(start, start, [(kinds[word[0]], word[1]) for word in text.split()])


def applied(lines, *hunks, fuzz=2):
    return "".join(apply_patch(list(lines), hunks, fuzz).lines)


def moves(lines, *hunks, fuzz=2):
    return [(offset, left_out) for _, offset, left_out in apply_patch(list(lines), hunks, fuzz).moves]


class Exact(unittest.TestCase):
    def test_one(self):
        self.assertEqual(applied("abc", hunk(0, "=a -b +x =c")), "axc")

    def test_several(self):
        self.assertEqual(applied("abcdef", hunk(1, "-b +xy"), hunk(4, "=e +z =f")), "axcdezf")

    def test_of_a_diff(self):
        old, new = list("the quick brown fox jumps"), list("a quick red fox jumped on")
        self.assertEqual("".join(apply_patch(old, diff(old, new, 2)).lines), "a quick red fox jumped on")

    def test_nothing(self):
        self.assertEqual(applied("abc"), "abc")

    def test_the_lines_are_copied(self):
        lines = list("abc")
        apply_patch(lines, [hunk(0, "-a")])
        self.assertEqual("".join(lines), "abc")

    def test_exact_hunks_do_not_move(self):
        self.assertEqual(moves("abcdef", hunk(1, "-b +x +y"), hunk(4, "-e +z")), [(0, 0), (0, 0)])

    def test_without_old_lines(self):
        self.assertEqual([applied("ab", hunk(1, "+x")), applied("", hunk(0, "+x")), applied("ab", hunk(2, "+x"))], ["axb", "x", "abx"])

    def test_without_old_lines_behind_the_end(self):
        result = apply_patch(list("ab"), [hunk(3, "+x")])
        self.assertEqual(("".join(result.lines), len(result.rejected)), ("ab", 1))


class Offsets(unittest.TestCase):
    def test_behind(self):
        self.assertEqual(applied("xxabc", hunk(0, "=a -b =c")), "xxac")

    def test_before(self):
        self.assertEqual((applied("abc", hunk(4, "=a -b =c")), moves("abc", hunk(4, "=a -b =c"))), ("ac", [(-4, 0)]))

    def test_the_nearest(self):
        self.assertEqual(applied("a....a.a", hunk(4, "-a")), "a.....a")

    def test_behind_wins(self):
        self.assertEqual(applied("a.a.a", hunk(3, "-a")), "a.a.")

    def test_the_next_hunk_moves_with_it(self):
        lines = "..a.b.b"
        self.assertEqual((applied(lines, hunk(0, "-a"), hunk(2, "-b")), moves(lines, hunk(0, "-a"), hunk(2, "-b"))), ("....b", [(2, 0), (2, 0)]))

    def test_what_was_added_counts(self):
        self.assertEqual(applied("abcbcb", hunk(0, "=a +x +y"), hunk(3, "-b")), "axybccb")

    def test_what_was_dropped_counts(self):
        self.assertEqual(applied("aabcbcb", hunk(0, "-a -a"), hunk(4, "-b +y")), "bcycb")

    def test_never_before_the_last_one(self):
        result = apply_patch(list("abab"), [hunk(2, "=a -b +x"), hunk(0, "=a =b -c")])
        self.assertEqual(("".join(result.lines), len(result.rejected)), ("abax", 1))

    def test_the_end_of_the_last_one_is_free(self):
        self.assertEqual(applied("abb", hunk(0, "=a -b"), hunk(1, "-b +y")), "ay")


class Fuzz(unittest.TestCase):
    HUNK = hunk(0, "=a =b -c +x =d =e")

    def test_context_that_changed(self):
        self.assertEqual([applied("abcdE", self.HUNK), applied("Abcde", self.HUNK), applied("ABcde", self.HUNK)], ["abxdE", "Abxde", "ABxde"])

    def test_how_much_was_left_out(self):
        self.assertEqual([moves("abcde", self.HUNK), moves("Abcde", self.HUNK), moves("ABcde", self.HUNK)], [[(0, 0)], [(0, 1)], [(0, 2)]])

    def test_a_bound(self):
        result = apply_patch(list("ABcde"), [self.HUNK], 1)
        self.assertEqual(("".join(result.lines), len(result.rejected)), ("ABcde", 1))

    def test_no_fuzz(self):
        self.assertEqual((applied("abcdE", self.HUNK, fuzz=0), moves("abcdE", self.HUNK, fuzz=0)), ("abcdE", []))

    def test_only_context_is_left_out(self):
        result = apply_patch(list("abXde"), [self.HUNK], 9)
        self.assertEqual((len(result.rejected), len(result.moves)), (1, 0))

    def test_fuzz_and_offset(self):
        self.assertEqual((applied("..Abcde", self.HUNK), moves("..Abcde", self.HUNK)), ("..Abxde", [(2, 1)]))

    def test_a_hunk_with_little_context(self):
        self.assertEqual(applied("Abc", hunk(0, "=a -b +x =c")), "Axc")

    def test_a_hunk_that_only_adds_needs_its_context(self):
        result = apply_patch(list("XY"), [hunk(0, "=a +x =b")], 3)
        self.assertEqual(("".join(result.lines), len(result.rejected)), ("XY", 1))

    def test_a_rejected_hunk_does_not_stop_the_next(self):
        result = apply_patch(list("abc"), [hunk(0, "-z +y"), hunk(2, "-c +w")])
        self.assertEqual(("".join(result.lines), [h.old_start for h in result.rejected]), ("abw", [0]))


class Nearest(unittest.TestCase):
    def test_distances(self):
        found = [nearest(list("a.a.a"), ["a"], place) for place in (0, 1, 2, 3, 9)]
        self.assertEqual(found, [0, 2, 2, 4, 4])

    def test_a_floor(self):
        self.assertEqual([nearest(list("a.a.a"), ["a"], 0, 1), nearest(list("a..."), ["a"], 2, 0)], [2, 0])

    def test_nowhere(self):
        self.assertEqual(str([nearest(list("abc"), ["x"], 1), nearest(list("a"), ["a", "b"], 0), nearest(list("ab"), ["a"], 0, 1)]), "[None, None, None]")

    def test_at_the_end(self):
        self.assertEqual(nearest(list("xxab"), ["a", "b"], 0), 2)


if __name__ == "__main__":
    unittest.main()
