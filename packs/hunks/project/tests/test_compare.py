import unittest

from hunks import edits, matches, split_lines
from hunks.compare import common_end, common_start, lengths, ratio, regions


def script(old, new):
    """Edits of letters as words: `=a -b +c`."""
    signs = {"keep": "=", "drop": "-", "add": "+"}
    return " ".join(signs[kind] + line for kind, line in edits(list(old), list(new)))


class Lines(unittest.TestCase):
    def test_lines_keep_their_ends(self):
        self.assertEqual(split_lines("a\nb\n"), ["a\n", "b\n"])

    def test_the_last_line_may_have_no_end(self):
        self.assertEqual(split_lines("a\nb"), ["a\n", "b"])

    def test_nothing(self):
        self.assertEqual(len(split_lines("")), 0)

    def test_empty_lines(self):
        self.assertEqual(split_lines("\n\na\n"), ["\n", "\n", "a\n"])

    def test_other_ends_are_parts_of_lines(self):
        self.assertEqual(split_lines("a\r\nb\x0cc\rd\n"), ["a\r\n", "b\x0cc\rd\n"])


class Edits(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(script("abc", "abc"), "=a =b =c")

    def test_nothing_to_nothing(self):
        self.assertEqual(script("", ""), "")

    def test_all_new(self):
        self.assertEqual(script("", "ab"), "+a +b")

    def test_all_gone(self):
        self.assertEqual(script("ab", ""), "-a -b")

    def test_replaced(self):
        self.assertEqual(script("abc", "axc"), "=a -b +x =c")

    def test_dropped_before_added(self):
        self.assertEqual(script("ab", "xy"), "-a -b +x +y")

    def test_in_the_middle(self):
        self.assertEqual(script("abcd", "acbd"), "=a -b =c +b =d")

    def test_the_shortest(self):
        self.assertEqual(script("abcabba", "cbabac"), "-a -b =c -a =b +a =b =a +c")

    def test_added_at_the_end(self):
        self.assertEqual(script("ab", "abc"), "=a =b +c")

    def test_a_repeated_line_more(self):
        self.assertEqual(script("aab", "aaab"), "=a =a +a =b")

    def test_a_repeated_line_less(self):
        self.assertEqual(script("xaaay", "xaay"), "=x =a =a -a =y")

    def test_ends_do_not_overlap(self):
        self.assertEqual(script("aba", "abababa"), "=a =b =a +b +a +b +a")

    def test_both_are_made_again_from_the_edits(self):
        old, new = list("the quick brown fox"), list("a quite brown ox!")
        found = edits(old, new)
        self.assertEqual("".join(line for kind, line in found if kind != "add"), "the quick brown fox")
        self.assertEqual("".join(line for kind, line in found if kind != "drop"), "a quite brown ox!")


class Common(unittest.TestCase):
    def test_starts(self):
        self.assertEqual([common_start("abc", "abd"), common_start("", "a"), common_start("ab", "ab")], [2, 0, 2])

    def test_a_start_that_is_all(self):
        self.assertEqual([common_start("ab", "abc"), common_start("abc", "ab")], [2, 2])

    def test_ends(self):
        self.assertEqual([common_end("abc", "xbc"), common_end("a", ""), common_end("ab", "ab")], [2, 0, 2])

    def test_an_end_behind_the_start(self):
        self.assertEqual([common_end("aa", "aaa", 2), common_end("aba", "ababa", 1)], [0, 2])

    def test_lengths(self):
        self.assertEqual(lengths("ab", "ba"), [[1, 1, 0], [1, 0, 0], [0, 0, 0]])


class Matches(unittest.TestCase):
    def test_runs(self):
        self.assertEqual(matches("abcxdef", "abcdefy"), [(0, 0, 3), (4, 3, 3)])

    def test_none(self):
        self.assertEqual(len(matches("ab", "cd")), 0)

    def test_a_run_ends_where_one_side_goes_on(self):
        self.assertEqual(matches("ab", "axb"), [(0, 0, 1), (1, 2, 1)])

    def test_all(self):
        self.assertEqual(matches("abc", "abc"), [(0, 0, 3)])

    def test_ratio(self):
        self.assertEqual([ratio("abcd", "abcd"), ratio("abcd", "abxy"), ratio("ab", "cd")], [1.0, 0.5, 0.0])

    def test_ratio_of_nothing(self):
        self.assertEqual([ratio("", ""), ratio("", "a")], [1.0, 0.0])

    def test_ratio_counts_both_sides(self):
        self.assertEqual(round(ratio("abc", "ab"), 2), 0.8)


class Regions(unittest.TestCase):
    def test_a_replaced_line(self):
        self.assertEqual(regions("abc", "axc"), [(1, 2, 1, 2)])

    def test_added_and_dropped(self):
        self.assertEqual(regions("abcd", "xabc"), [(0, 0, 0, 1), (3, 4, 4, 4)])

    def test_equal(self):
        self.assertEqual(len(regions("abc", "abc")), 0)

    def test_from_nothing(self):
        self.assertEqual([regions("", "ab"), regions("ab", "")], [[(0, 0, 0, 2)], [(0, 2, 0, 0)]])


if __name__ == "__main__":
    unittest.main()
