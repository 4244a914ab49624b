import unittest
from decimal import Decimal

from tabq.values import (
    arithmetic, both, compare, either, from_cell, like_pattern, number, opposite, rounded, sort_key,
    to_text, truth,
)


def D(text):
    return Decimal(text)


class Cells(unittest.TestCase):
    def test_an_empty_cell_is_null(self):
        self.assertEqual(repr(from_cell("")), "None")

    def test_numbers(self):
        self.assertEqual([from_cell(c) for c in ("7", "-1.50", "+2", ".5")], [D("7"), D("-1.50"), D("2"), D("0.5")])

    def test_blanks_around_a_number(self):
        self.assertEqual(from_cell(" 12 "), D("12"))

    def test_texts_stay(self):
        self.assertEqual([from_cell(c) for c in ("1e5", "1,5", " x ", "-", "0x1")], ["1e5", "1,5", " x ", "-", "0x1"])

    def test_a_number_ends_with_its_line(self):
        self.assertEqual(from_cell("1.2.3"), "1.2.3")


class Writing(unittest.TestCase):
    def test_null_is_empty(self):
        self.assertEqual(to_text(None), "")

    def test_needless_zeros_go(self):
        self.assertEqual([to_text(D(t)) for t in ("1.50", "2.00", "100", "0.10")], ["1.5", "2", "100", "0.1"])

    def test_no_exponent(self):
        self.assertEqual(to_text(D("1E+3")), "1000")

    def test_no_negative_zero(self):
        self.assertEqual([to_text(D("-0")), to_text(D("-0.0"))], ["0", "0"])

    def test_truths(self):
        self.assertEqual([to_text(True), to_text(False)], ["true", "false"])


class Order(unittest.TestCase):
    def test_kinds_come_in_order(self):
        values = ["b", D("3"), None, True, D("-2"), "a", False]
        self.assertEqual([to_text(v) for v in sorted(values, key=sort_key)], ["", "false", "true", "-2", "3", "a", "b"])

    def test_comparisons(self):
        signs = ("=", "!=", "<", "<=", ">", ">=")
        self.assertEqual([compare(s, D("1"), D("2")) for s in signs], [False, True, True, True, False, False])

    def test_comparisons_of_equals(self):
        signs = ("=", "!=", "<", "<=", ">", ">=")
        self.assertEqual([compare(s, "x", "x") for s in signs], [True, False, False, True, False, True])

    def test_null_compares_to_null(self):
        self.assertEqual(str([compare("=", None, D("1")), compare("<", "a", None)]), "[None, None]")

    def test_a_number_is_below_a_text(self):
        self.assertEqual(compare("<", D("99"), "1a"), True)


class Logic(unittest.TestCase):
    def test_and(self):
        pairs = [(True, True), (True, False), (False, None), (None, True), (None, False)]
        self.assertEqual(str([both(a, b) for a, b in pairs]), "[True, False, False, None, False]")

    def test_or(self):
        pairs = [(False, False), (True, False), (True, None), (None, False), (None, True)]
        self.assertEqual(str([either(a, b) for a, b in pairs]), "[False, True, True, None, True]")

    def test_not(self):
        self.assertEqual(str([opposite(v) for v in (True, False, None)]), "[False, True, None]")

    def test_numbers_as_conditions(self):
        self.assertEqual([truth(D("0")), truth(D("0.1")), truth(D("-1"))], [False, True, True])

    def test_a_text_is_no_condition(self):
        self.assertEqual(str(truth("yes")), "None")


class Arithmetic(unittest.TestCase):
    def test_operators(self):
        found = [arithmetic(s, D("7"), D("2")) for s in "+-*/%"]
        self.assertEqual([to_text(v) for v in found], ["9", "5", "14", "3.5", "1"])

    def test_sums_are_exact(self):
        self.assertEqual(to_text(arithmetic("+", D("0.1"), D("0.2"))), "0.3")

    def test_division_by_zero_is_null(self):
        self.assertEqual(str([arithmetic("/", D("1"), D("0")), arithmetic("%", D("1"), D("0"))]), "[None, None]")

    def test_zero_by_zero_is_null(self):
        self.assertEqual(str(arithmetic("/", D("0"), D("0"))), "None")

    def test_null_makes_null(self):
        self.assertEqual(str([arithmetic("+", None, D("1")), arithmetic("*", D("1"), None)]), "[None, None]")

    def test_the_rest_has_the_sign_of_the_left_side(self):
        self.assertEqual([to_text(arithmetic("%", D("-7"), D("3"))), to_text(arithmetic("%", D("7"), D("-3")))], ["-1", "1"])

    def test_texts_that_look_like_numbers(self):
        self.assertEqual(to_text(arithmetic("+", " 4 ", D("1"))), "5")

    def test_a_text_is_no_number(self):
        self.assertEqual(str([number("x"), number(True), number("")]), "[None, None, None]")


class Rounding(unittest.TestCase):
    def test_halves_go_away_from_zero(self):
        self.assertEqual([to_text(rounded(D(t))) for t in ("2.5", "-2.5", "1.4", "3.5")], ["3", "-3", "1", "4"])

    def test_places(self):
        self.assertEqual([to_text(rounded(D("2.345"), 2)), to_text(rounded(D("2.345"), 1))], ["2.35", "2.3"])

    def test_negative_places(self):
        self.assertEqual([to_text(rounded(D("1250"), -2)), to_text(rounded(D("1249"), -2))], ["1300", "1200"])


class Like(unittest.TestCase):
    def matches(self, pattern, *texts):
        return [like_pattern(pattern).match(text) is not None for text in texts]

    def test_any_text(self):
        self.assertEqual(self.matches("a%c", "ac", "abbc", "abcd", "bac"), [True, True, False, False])

    def test_one_character(self):
        self.assertEqual(self.matches("a_c", "abc", "ac", "abbc"), [True, False, False])

    def test_case_does_not_count(self):
        self.assertEqual(self.matches("AbC", "aBc"), [True])

    def test_a_backslash_takes_the_meaning(self):
        self.assertEqual(self.matches("5\\%", "5%", "55"), [True, False])

    def test_a_backslash_at_the_end(self):
        self.assertEqual(self.matches("a\\", "a\\", "a"), [True, False])

    def test_signs_of_regular_expressions_are_plain(self):
        self.assertEqual(self.matches("a.b*", "a.b*", "axbb"), [True, False])

    def test_any_text_has_line_ends(self):
        self.assertEqual(self.matches("a%b", "a\n\nb"), [True])


if __name__ == "__main__":
    unittest.main()
