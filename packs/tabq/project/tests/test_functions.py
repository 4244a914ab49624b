import unittest

from tabq import Table, query
from tabq.values import to_text


def values(*calls):
    """What calls give, as texts; `~` for null."""
    table = Table(["a"], [["x"]])
    found = [query("select %s as v" % call, table).rows[0][0] for call in calls]
    return ["~" if value is None else to_text(value) for value in found]


class Texts(unittest.TestCase):
    def test_case(self):
        self.assertEqual(values("lower('AbC')", "upper('AbC')", "lower(null)"), ["abc", "ABC", "~"])

    def test_trim(self):
        self.assertEqual(values("trim('  a b ') || '.'"), ["a b."])

    def test_length(self):
        self.assertEqual(values("length('abc')", "length('')", "length(12.50)", "length(null)"), ["3", "0", "4", "~"])

    def test_substr_from_the_start(self):
        self.assertEqual(values("substr('abcdef', 1, 2)", "substr('abcdef', 3)", "substr('abcdef', 6, 9)"), ["ab", "cdef", "f"])

    def test_substr_from_the_end(self):
        self.assertEqual(values("substr('abcdef', -2)", "substr('abcdef', -3, 2)", "substr('abc', -9, 2)"), ["ef", "de", "ab"])

    def test_substr_of_nothing(self):
        self.assertEqual(values("substr('abc', 2, 0) || '.'", "substr('abc', 2, -1) || '.'", "substr('abc', 9) || '.'"), [".", ".", "."])

    def test_substr_with_nulls(self):
        self.assertEqual(values("substr(null, 1)", "substr('abc', null)", "substr('abc', 1, null || 'x')"), ["~", "~", "abc"])

    def test_substr_of_a_number(self):
        self.assertEqual(values("substr(1250, 2, 2)", "substr('abc', 'x')", "substr('abc', 1, 'x')"), ["25", "~", "~"])

    def test_replace(self):
        self.assertEqual(values("replace('banana', 'an', 'o')", "replace('a', '', 'b')", "replace('a', null, 'b')"), ["booa", "a", "~"])

    def test_replace_in_numbers(self):
        self.assertEqual(values("replace(1201, 1, 3)", "replace('a', 'a', null)"), ["3203", "~"])


class Numbers(unittest.TestCase):
    def test_round(self):
        self.assertEqual(values("round(2.5)", "round(-0.5)", "round(2.345, 2)", "round(1251, -2)"), ["3", "-1", "2.35", "1300"])

    def test_round_of_no_number(self):
        self.assertEqual(values("round('x')", "round(null)", "round(1, null)"), ["~", "~", "~"])

    def test_abs(self):
        self.assertEqual(values("abs(-2)", "abs(3)", "abs('x')"), ["2", "3", "~"])


class Choices(unittest.TestCase):
    def test_coalesce(self):
        self.assertEqual(values("coalesce(null, 2, 3)", "coalesce(null, null)", "coalesce(0, 1)"), ["2", "~", "0"])

    def test_coalesce_keeps_the_empty_text(self):
        self.assertEqual(values("coalesce('', 'x') || '.'"), ["."])

    def test_if(self):
        self.assertEqual(values("if(1 < 2, 'a', 'b')", "if(null, 'a', 'b')", "if(0, 'a', 'b')", "if('x', 'a', 'b')"), ["a", "b", "b", "b"])


class Aggregates(unittest.TestCase):
    def over(self, call, *cells):
        table = Table(["a"], [[cell] for cell in cells])
        value = query("select %s as v" % call, table).rows[0][0]
        return "~" if value is None else to_text(value)

    def test_sum_leaves_texts_out(self):
        self.assertEqual(self.over("sum(a)", "x", "2", None, "3.5"), "5.5")

    def test_sum_of_texts_is_null(self):
        self.assertEqual(self.over("sum(a)", "x", "y"), "~")

    def test_avg_leaves_texts_out(self):
        self.assertEqual(self.over("avg(a)", "x", "2", "4"), "3")

    def test_avg_of_nothing(self):
        self.assertEqual(self.over("avg(a)", None), "~")

    def test_expressions_of_aggregates(self):
        self.assertEqual(self.over("max(a) || '-' || count(a) * 2", "p", "q", None), "q-4")

    def test_join_of_expressions(self):
        self.assertEqual(self.over("join(upper(a), ', ')", "p", None, "q"), "P, Q")


if __name__ == "__main__":
    unittest.main()
