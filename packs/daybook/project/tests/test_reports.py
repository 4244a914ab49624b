import unittest

from daybook import load
from daybook.amounts import Amount, Sum
from daybook.render import amounts_text, table
from daybook.reports import average, balance, closing, months, register

HEAD = "commodity EUR 2\ncommodity USD 0\n"


def book(*lines):
    """A book of lines `DATE ACCOUNT AMOUNT OTHER`."""
    text = HEAD
    for line in lines:
        day, account, number, commodity, other = line.split()
        text += "%s * Shop\n %s %s %s\n %s\n" % (day, account, number, commodity, other)
    return load(text)


def shown(rows):
    return [(depth, name, total.of("EUR")) for depth, name, total in rows]


SMALL = [
    "2026-01-10 expenses:food 10 EUR assets:bank",
    "2026-01-20 expenses:home:rent 50 EUR assets:bank",
    "2026-03-05 expenses:home:power 20 EUR assets:cash",
]


class Balance(unittest.TestCase):
    def test_all(self):
        found = shown(balance(book(*SMALL)))
        self.assertEqual(found[:3], [(0, "assets", -8000), (1, "bank", -6000), (1, "cash", -2000)])

    def test_a_tree(self):
        found = shown(balance(book(*SMALL), "expenses"))[:-1]
        expected = [(0, "expenses", 8000), (1, "food", 1000), (1, "home", 7000), (2, "power", 2000), (2, "rent", 5000)]
        self.assertEqual(found, expected)

    def test_the_last_row(self):
        self.assertEqual(shown(balance(book(*SMALL), "assets"))[-1], (0, "", -8000))

    def test_single_accounts_are_joined(self):
        found = shown(balance(book(SMALL[1]), "expenses"))
        self.assertEqual(found[0], (0, "expenses:home:rent", 5000))

    def test_not_joined_with_postings_of_their_own(self):
        found = shown(balance(book("2026-01-01 assets:a 1 EUR equity:x", "2026-01-01 assets:a:b 2 EUR equity:x"), "assets"))
        self.assertEqual(found[:2], [(0, "assets:a", 300), (1, "b", 200)])

    def test_zeros_are_left_out(self):
        found = shown(balance(book(*SMALL, "2026-03-06 assets:cash 20 EUR equity:x"), "assets"))
        self.assertEqual(found[:-1], [(0, "assets:bank", -6000)])

    def test_a_sum_of_zero_hides_what_is_below(self):
        found = shown(balance(book("2026-01-01 assets:a:b 1 EUR assets:a:c", "2026-01-01 assets:d 2 EUR equity:x"), "assets"))
        self.assertEqual(found[:-1], [(0, "assets:d", 200)])

    def test_days(self):
        found = balance(book(*SMALL), "expenses", (2026, 1, 20), (2026, 3, 4))
        self.assertEqual(shown(found)[-1], (0, "", 5000))

    def test_nothing(self):
        self.assertEqual(shown(balance(book())), [(0, "", 0)])


class Register(unittest.TestCase):
    def test_rows(self):
        found = register(book(*SMALL), "expenses:home")
        rows = [(day, payee, account, tuple(amount)) for day, payee, account, amount, _ in found]
        self.assertEqual(rows[0], ("2026-01-20", "Shop", "expenses:home:rent", (5000, "EUR")))

    def test_the_balance_so_far(self):
        found = [row[4].of("EUR") for row in register(book(*SMALL), "expenses")]
        self.assertEqual(found, [1000, 6000, 8000])

    def test_it_begins_with_zero(self):
        found = [row[4].of("EUR") for row in register(book(*SMALL), "expenses", (2026, 1, 20))]
        self.assertEqual(found, [5000, 7000])

    def test_until_a_day(self):
        found = [row[0] for row in register(book(*SMALL), "expenses", None, (2026, 1, 20))]
        self.assertEqual(found, ["2026-01-10", "2026-01-20"])


class Months(unittest.TestCase):
    def test_sums(self):
        found = [(month, own.of("EUR")) for month, own, _ in months(book(*SMALL), "expenses")]
        self.assertEqual(found, [("2026-01", 6000), ("2026-02", 0), ("2026-03", 2000)])

    def test_averages(self):
        found = [mean.of("EUR") for _, _, mean in months(book(*SMALL), "expenses")]
        self.assertEqual(found, [6000, 3000, 2667])

    def test_averages_of_three_months_at_most(self):
        lines = SMALL + ["2026-04-01 expenses:food 1 EUR assets:bank"]
        self.assertEqual(months(book(*lines), "expenses")[-1][2].of("EUR"), 700)

    def test_none(self):
        self.assertEqual(len(months(book(*SMALL), "income")), 0)

    def test_over_the_end_of_a_year(self):
        found = months(book("2026-01-01 assets:a 1 EUR equity:x", "2025-12-01 assets:a 1 EUR equity:x"), "assets")
        self.assertEqual([row[0] for row in found], ["2025-12", "2026-01"])

    def test_averages_are_rounded(self):
        found = average([Sum([Amount(-5, "EUR")]), Sum([Amount(1, "USD")])])
        self.assertEqual([found.of("EUR"), found.of("USD")], [-3, 1])


class Closing(unittest.TestCase):
    def test_postings(self):
        lines = ["2026-02-01 assets:bank 90 EUR income:pay", "2026-01-10 expenses:food 10 EUR assets:bank"]
        found = [(account, amount.quantity) for account, amount in closing(book(*lines), 2026)]
        self.assertEqual(found, [("income:pay", 9000), ("expenses:food", -1000), ("equity:earnings", -8000)])

    def test_until_the_last_day(self):
        lines = ["2026-12-31 expenses:b 1 EUR assets:a", "2027-01-01 expenses:b 2 EUR assets:a"]
        found = [(account, amount.quantity) for account, amount in closing(book(*lines), 2026)]
        self.assertEqual(found, [("expenses:b", -100), ("equity:earnings", 100)])

    def test_commodities(self):
        lines = ["2026-01-01 expenses:b 1 USD assets:a", "2026-01-01 expenses:b 2 EUR assets:a"]
        found = [tuple(amount) for account, amount in closing(book(*lines), 2026)]
        self.assertEqual(found, [(-200, "EUR"), (-1, "USD"), (200, "EUR"), (1, "USD")])

    def test_the_order_of_accounts(self):
        lines = ["2026-01-01 expenses:b 1 EUR assets:a", "2026-01-02 expenses:a 2 EUR assets:a"]
        self.assertEqual([account for account, _ in closing(book(*lines), 2026)][:2], ["expenses:a", "expenses:b"])


class Text(unittest.TestCase):
    def test_amounts(self):
        total = Sum([Amount(150, "EUR"), Amount(2, "USD")])
        self.assertEqual(amounts_text(total, {"EUR": 2, "USD": 0}), "1.50 EUR, 2 USD")

    def test_no_amounts(self):
        self.assertEqual(amounts_text(Sum(), {}), "0")

    def test_a_table(self):
        self.assertEqual(table([("a", "10", "x"), ("bcd", "5", "")], right=(1,)), "a    10  x\nbcd   5\n")

    def test_an_empty_table(self):
        self.assertEqual(table([]), "")
