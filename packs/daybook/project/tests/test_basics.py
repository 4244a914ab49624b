import unittest

from daybook.accounts import is_account, is_below, parents, tree
from daybook.amounts import Amount, Sum, format_quantity, parse_quantity, rounded
from daybook.dates import format_date, format_month, is_leap, month_length, months_between, next_month, parse_date


class Quantities(unittest.TestCase):
    def test_decimals_are_filled_up(self):
        self.assertEqual([parse_quantity(text, 2) for text in ("12.34", "12.3", "12")], [1234, 1230, 1200])

    def test_negative(self):
        self.assertEqual([parse_quantity("-0.05", 2), parse_quantity("-3", 0)], [-5, -3])

    def test_groups(self):
        self.assertEqual([parse_quantity("1,234,567.8", 1), parse_quantity("12,345", 0)], [12345678, 12345])

    def test_wrong_groups(self):
        self.assertEqual([parse_quantity(text, 2) for text in ("1,23", "1234,567", ",123", "1,2345")], [None] * 4)

    def test_too_many_decimals(self):
        self.assertEqual([parse_quantity("1.234", 2), parse_quantity("1.234", 3)], [None, 1234])

    def test_no_number(self):
        self.assertEqual([parse_quantity(text, 2) for text in ("", "x", "1.", ".5", "+1", "--1")], [None] * 6)

    def test_format(self):
        self.assertEqual([format_quantity(1234, 2), format_quantity(-1234, 1), format_quantity(12, 0)], ["12.34", "-123.4", "12"])

    def test_format_of_less_than_one(self):
        self.assertEqual([format_quantity(5, 2), format_quantity(-50, 2), format_quantity(0, 2)], ["0.05", "-0.50", "0.00"])

    def test_format_of_groups(self):
        self.assertEqual([format_quantity(123456, 0), format_quantity(-1234567890, 2), format_quantity(999, 0)], ["123,456", "-12,345,678.90", "999"])

    def test_rounded(self):
        self.assertEqual([rounded(7, 3), rounded(8, 3), rounded(5, 2), rounded(-5, 2), rounded(-4, 3)], [2, 3, 3, -3, -1])


class Sums(unittest.TestCase):
    def test_amounts_are_ordered(self):
        total = Sum([Amount(1, "USD"), Amount(2, "EUR"), Amount(3, "USD")])
        self.assertEqual([tuple(amount) for amount in total.amounts()], [(2, "EUR"), (4, "USD")])

    def test_zeros_are_gone(self):
        total = Sum([Amount(5, "EUR"), Amount(0, "USD"), Amount(-5, "EUR")])
        self.assertEqual((total.is_zero(), len(total.amounts())), (True, 0))

    def test_of(self):
        total = Sum([Amount(5, "EUR")])
        self.assertEqual([total.of("EUR"), total.of("USD")], [5, 0])

    def test_negated(self):
        total = Sum([Amount(5, "EUR"), Amount(-2, "USD")]).negated()
        self.assertEqual([total.of("EUR"), total.of("USD")], [-5, 2])

    def test_add_all(self):
        total, other = Sum([Amount(5, "EUR")]), Sum([Amount(1, "EUR"), Amount(2, "USD")])
        total.add_all(other)
        self.assertEqual([total.of("EUR"), total.of("USD"), other.of("EUR")], [6, 2, 1])


class Dates(unittest.TestCase):
    def test_parse(self):
        self.assertEqual(parse_date("2026-03-09"), (2026, 3, 9))

    def test_other_forms(self):
        self.assertEqual([parse_date(text) for text in ("2026-3-09", "26-03-09", "2026/03/09", "2026-03-09x")], [None] * 4)

    def test_months_from_one_to_twelve(self):
        found = [parse_date("2026-%s-01" % month) for month in ("00", "01", "12", "13")]
        self.assertEqual(found, [None, (2026, 1, 1), (2026, 12, 1), None])

    def test_days_of_a_month(self):
        found = [parse_date("2026-04-%s" % day) for day in ("00", "01", "30", "31")]
        self.assertEqual(found, [None, (2026, 4, 1), (2026, 4, 30), None])

    def test_leap_years(self):
        self.assertEqual([year for year in (1900, 2000, 2023, 2024, 2100, 2400) if is_leap(year)], [2000, 2024, 2400])

    def test_lengths(self):
        self.assertEqual([month_length(2026, 2), month_length(2024, 2), month_length(2024, 12)], [28, 29, 31])

    def test_formats(self):
        self.assertEqual([format_date((987, 1, 2)), format_month((2026, 3))], ["0987-01-02", "2026-03"])

    def test_next_month(self):
        self.assertEqual([next_month((2026, 11)), next_month((2026, 12))], [(2026, 12), (2027, 1)])

    def test_months_between(self):
        found = [format_month(month) for month in months_between((2025, 11), (2026, 2))]
        self.assertEqual(found, ["2025-11", "2025-12", "2026-01", "2026-02"])


class Accounts(unittest.TestCase):
    def test_names(self):
        names = ["assets:bank", "equity:x-1:2", "assets", "asset:bank", "assets:Bank", "assets::a", "income:a b"]
        self.assertEqual([name for name in names if is_account(name)], ["assets:bank", "equity:x-1:2"])

    def test_below(self):
        found = [is_below(name, "assets:bank") for name in ("assets:bank", "assets:bank:x", "assets:banker", "assets")]
        self.assertEqual(found, [True, True, False, False])

    def test_parents(self):
        self.assertEqual([parents("a:b:c"), parents("a")], [["a", "a:b"], []])

    def test_tree(self):
        sums = {"a:b:c": Sum([Amount(1, "X")]), "a:b": Sum([Amount(2, "X")]), "d:e": Sum([Amount(4, "X")])}
        found, ways = [], tree(sums, Sum)
        for node in ways:
            found.append((node.name, node.own.of("X"), node.total.of("X")))
            ways += node.below
        self.assertEqual(found, [("a", 0, 3), ("d", 0, 4), ("a:b", 2, 3), ("d:e", 4, 4), ("a:b:c", 1, 1)])

    def test_the_order_is_that_of_parts(self):
        sums = {name: Sum() for name in ("a-b:x", "a:z", "a:y")}
        found = [[node.name] + [below.name for below in node.below] for node in tree(sums, Sum)]
        self.assertEqual(found, [["a", "a:y", "a:z"], ["a-b", "a-b:x"]])
