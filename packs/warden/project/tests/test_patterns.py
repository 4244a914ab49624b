import unittest

from warden.patterns import covers, covers_part, matches, matches_part


def row(work, pairs):
    return "".join("ny"[bool(work(*pair))] for pair in pairs)


class Parts(unittest.TestCase):
    def test_plain(self):
        self.assertEqual(row(matches_part, [("a", "a"), ("a", "b"), ("a", "ab"), ("", "")]), "ynny")

    def test_a_star_at_the_end(self):
        self.assertEqual(row(matches_part, [("a*", "abc"), ("a*", "a"), ("a*", "ba")]), "yyn")

    def test_a_star_at_the_start(self):
        self.assertEqual(row(matches_part, [("*c", "abc"), ("*c", "c"), ("*c", "cb")]), "yyn")

    def test_a_star_in_the_middle(self):
        self.assertEqual(row(matches_part, [("a*c", "abc"), ("a*c", "ac"), ("a*a", "a"), ("ab*bc", "abc")]), "yynn")

    def test_several_stars(self):
        self.assertEqual(row(matches_part, [("a*b*c", "a1b2c"), ("a*b*c", "acb"), ("*b*", "abc"), ("*b*b*", "abc")]), "ynyn")

    def test_pieces_do_not_overlap(self):
        self.assertEqual(row(matches_part, [("*ab*ab", "ab"), ("*ab*ab", "abab"), ("*aa*a", "aa")]), "nyn")


class Resources(unittest.TestCase):
    def test_parts(self):
        self.assertEqual(row(matches, [("a/b", "a/b"), ("a/b", "a"), ("a", "a/b"), ("a/*", "a/b"), ("*", "a/b")]), "ynnyn")

    def test_any_number_of_parts(self):
        self.assertEqual(row(matches, [("a/**", "a"), ("a/**", "a/b/c"), ("**/c", "a/b/c"), ("**/c", "c"), ("a/**/d", "a/b/c")]), "yyyyn")

    def test_several_times(self):
        self.assertEqual(row(matches, [("**/b/**", "a/b/c"), ("**/b/**", "a/c"), ("**", "a")]), "yny")

    def test_the_user(self):
        self.assertEqual(row(matches, [("h/{user}", "h/ann", "ann"), ("h/{user}", "h/bob", "ann"), ("h/{user}-*", "h/ann-1", "ann")]), "yny")

    def test_a_user_is_no_pattern(self):
        self.assertEqual(row(matches, [("h/{user}", "h/ann", "*"), ("h/{user}", "h/ann", "a*"), ("h/*", "h/ann", "*")]), "nny")


class Covering(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(row(covers, [("a/b", "a/b"), ("a/b", "a/c"), ("a", "a/b"), ("a/b", "a")]), "ynnn")

    def test_parts(self):
        self.assertEqual(row(covers_part, [("*", "a*"), ("a*", "ab"), ("a*", "a*"), ("a*", "ab*"), ("b*", "ab"), ("ab", "*")]), "yyynnn")

    def test_users(self):
        self.assertEqual(row(covers_part, [("{user}", "{user}"), ("*", "{user}"), ("{user}*", "a"), ("a*", "a{user}")]), "yynn")

    def test_any_number_of_parts(self):
        self.assertEqual(row(covers, [("**", "a/b"), ("a/**", "a/**/b"), ("a/**", "a"), ("a/**", "b/a"), ("**/b", "a/**/b")]), "yyyny")

    def test_nothing_else_covers_them(self):
        self.assertEqual(row(covers, [("*", "**"), ("a/*", "a/**"), ("**/a", "**")]), "nnn")
