import unittest

from hunks import merge


def merged(base, mine, theirs):
    """A merge of letters; a conflict is `<mine|theirs>`."""
    parts = []
    for part in merge(list(base), list(mine), list(theirs)).parts:
        if part[0] == "lines":
            parts.append("".join(part[1]))
        else:
            parts.append("<%s|%s>" % ("".join(part[1]), "".join(part[2])))
    return "".join(parts)


class Merges(unittest.TestCase):
    def test_nothing_changed(self):
        self.assertEqual(merged("abc", "abc", "abc"), "abc")

    def test_mine(self):
        self.assertEqual(merged("abc", "axc", "abc"), "axc")

    def test_theirs(self):
        self.assertEqual(merged("abc", "abc", "abxc"), "abxc")

    def test_both(self):
        self.assertEqual(merged("abcde", "Xbcde", "abcdY"), "XbcdY")

    def test_both_add_and_drop(self):
        self.assertEqual(merged("abcdef", "acdef", "abcdxef"), "acdxef")

    def test_the_same_change(self):
        self.assertEqual(merged("abc", "axc", "axc"), "axc")

    def test_both_drop_the_same(self):
        self.assertEqual(merged("abcd", "ad", "ad"), "ad")

    def test_many(self):
        self.assertEqual(merged("abcdefghi", "Abcdefghi!", "abcdEfgi"), "AbcdEfgi!")

    def test_from_nothing(self):
        self.assertEqual([merged("", "ab", ""), merged("", "", "ab"), merged("", "ab", "ab")], ["ab", "ab", "ab"])


class Conflicts(unittest.TestCase):
    def test_the_same_line(self):
        self.assertEqual(merged("abc", "axc", "ayc"), "a<x|y>c")

    def test_changed_and_dropped(self):
        self.assertEqual(merged("abc", "axc", "ac"), "a<x|>c")

    def test_lines_next_to_each_other(self):
        self.assertEqual(merged("abcd", "aXcd", "abYd"), "a<Xc|bY>d")

    def test_a_line_between(self):
        self.assertEqual(merged("abcde", "aXcde", "abcYe"), "aXcYe")

    def test_added_at_one_place(self):
        self.assertEqual(merged("ab", "axb", "ayb"), "a<x|y>b")

    def test_regions_that_overlap(self):
        self.assertEqual(merged("abcdef", "aXYZef", "abcPQf"), "a<XYZe|bcPQ>f")

    def test_a_chain(self):
        self.assertEqual(merged("abcdefg", "aXXdeXg", "abYYYfg"), "a<XXdeX|bYYYf>g")

    def test_common_lines_are_no_part(self):
        self.assertEqual(merged("abc", "a12x9c", "a12y9c"), "a12<x|y>9c")

    def test_from_nothing(self):
        self.assertEqual(merged("", "ax", "ay"), "a<x|y>")

    def test_count(self):
        result = merge(list("abcde"), list("XbcdY"), list("PbcdQ"))
        self.assertEqual((result.conflicts(), merge([], [], []).conflicts()), (2, 0))


class Writing(unittest.TestCase):
    def test_markers(self):
        result = merge(["a\n", "b\n"], ["a\n", "x\n"], ["a\n", "y\n"])
        self.assertEqual("".join(result.lines()), "a\n<<<<<<< mine\nx\n=======\ny\n>>>>>>> theirs\n")

    def test_labels(self):
        result = merge(["b\n"], ["x\n"], [])
        self.assertEqual(result.lines("left", "right")[0::2], ["<<<<<<< left\n", "=======\n"])

    def test_markers_stand_on_their_own_lines(self):
        result = merge(["b"], ["x"], ["y"])
        self.assertEqual("".join(result.lines()), "<<<<<<< mine\nx\n=======\ny\n>>>>>>> theirs\n")

    def test_without_conflicts(self):
        self.assertEqual("".join(merge(["a\n", "b\n", "c"], ["x\n", "b\n", "c"], ["a\n", "b\n", "d"]).lines()), "x\nb\nd")

    def test_neighbours_are_one_part(self):
        result = merge(list("abcde"), list("aBcde"), list("abcDe"))
        self.assertEqual([part[0] for part in result.parts], ["lines"])


if __name__ == "__main__":
    unittest.main()
