import unittest

from daybook import check, load

HEAD = """commodity EUR 2
commodity USD 2
commodity ACME 0
open 2026-01-01 assets:bank EUR USD
open 2026-01-01 expenses:food
open 2026-01-01 assets:shares
"""


def moves(*lines):
    book = load(HEAD + "\n".join(lines))
    return [(move.account, move.amount and tuple(move.amount)) for move in book.moves]


def mistakes(*lines):
    """Mistakes; lines are counted behind the head."""
    return [(found.line - 6, found.kind, found.detail) for found in check(load(HEAD + "\n".join(lines)))]


class Filling(unittest.TestCase):
    def test_the_amount_left_out(self):
        found = moves("2026-01-02 * A", " expenses:food 12.30 EUR", " assets:bank")
        self.assertEqual(found, [("expenses:food", (1230, "EUR")), ("assets:bank", (-1230, "EUR"))])

    def test_the_first_one_left_out(self):
        found = moves("2026-01-02 * A", " assets:bank", " expenses:food 1 EUR", " expenses:food 2 EUR")
        self.assertEqual(found[0], ("assets:bank", (-300, "EUR")))

    def test_two_commodities(self):
        found = moves("2026-01-02 * A", " expenses:food 1 EUR", " expenses:food 1 USD", " assets:bank")
        self.assertEqual(found[2], ("assets:bank", None))

    def test_nothing_is_missing(self):
        found = moves("2026-01-02 * A", " expenses:food 1 EUR", " expenses:food -1 EUR", " assets:bank")
        self.assertEqual(found[2], ("assets:bank", None))

    def test_a_price_weighs(self):
        found = moves("2026-01-02 * A", " assets:shares 3 ACME @ 10.05 EUR", " assets:bank")
        self.assertEqual(found[1], ("assets:bank", (-3015, "EUR")))

    def test_weights_are_rounded(self):
        found = moves("2026-01-02 * A", " assets:bank 1.50 USD @ 0.33 EUR", " expenses:food")
        self.assertEqual(found[1], ("expenses:food", (-50, "EUR")))

    def test_the_amount_itself_has_no_price(self):
        found = moves("2026-01-02 * A", " assets:shares 3 ACME @ 10 EUR", " assets:bank")
        self.assertEqual(found[0], ("assets:shares", (3, "ACME")))


class Order(unittest.TestCase):
    def test_days_come_first(self):
        found = moves("2026-01-03 * A", " expenses:food 1 EUR", "2026-01-02 * B", " assets:bank 2 EUR")
        self.assertEqual(found, [("assets:bank", (200, "EUR")), ("expenses:food", (100, "EUR"))])

    def test_a_day_keeps_its_order(self):
        found = moves("2026-01-02 * Z", " expenses:food 1 EUR", "2026-01-02 * A", " assets:bank 2 EUR")
        self.assertEqual([account for account, _ in found], ["expenses:food", "assets:bank"])

    def test_select(self):
        days = ["2026-01-0%d * A\n assets:bank %d EUR\n expenses:food" % (day, day) for day in (1, 2, 3, 4)]
        book = load(HEAD + "\n".join(days))
        found = [move.amount.quantity for move in book.select("assets", (2026, 1, 2), (2026, 1, 3))]
        self.assertEqual(found, [200, 300])

    def test_sums(self):
        book = load(HEAD + "2026-01-02 * A\n assets:bank 1 EUR\n assets:bank 2 EUR\n expenses:food")
        self.assertEqual({name: total.of("EUR") for name, total in book.sums().items()}, {"assets:bank": 300, "expenses:food": -300})


class Mistakes(unittest.TestCase):
    def test_none(self):
        self.assertEqual(len(mistakes("2026-01-02 * A", " expenses:food 1 EUR", " assets:bank -1 EUR")), 0)

    def test_unbalanced(self):
        found = mistakes("", "2026-01-02 * A", " expenses:food 1 EUR", " assets:bank -0.99 EUR")
        self.assertEqual(found, [(2, "unbalanced", "0.01 EUR")])

    def test_unbalanced_in_two_commodities(self):
        found = mistakes("2026-01-02 * A", " expenses:food 1 USD", " assets:bank -2 EUR")
        self.assertEqual(found, [(1, "unbalanced", "-2.00 EUR, 1.00 USD")])

    def test_unbalanced_with_an_amount_left_out(self):
        found = mistakes("2026-01-02 * A", " expenses:food 1 USD", " expenses:food 2 EUR", " assets:bank")
        self.assertEqual(found, [(1, "unbalanced", "2.00 EUR, 1.00 USD")])

    def test_never_opened(self):
        found = mistakes("2026-01-02 * A", " expenses:rent 1 EUR", " assets:bank")
        self.assertEqual(found, [(2, "not-open", "expenses:rent on 2026-01-02")])

    def test_before_it_was_opened(self):
        found = mistakes("2025-12-31 * A", " expenses:food 1 EUR", " expenses:food", "2026-01-01 * A", " assets:bank 0 EUR")
        self.assertEqual([place for place, _, _ in found], [2, 3])

    def test_after_it_was_closed(self):
        found = mistakes("close 2026-01-02 assets:shares", *["2026-01-0%d * A\n assets:shares 0 EUR" % day for day in (2, 3)])
        self.assertEqual(found, [(5, "not-open", "assets:shares on 2026-01-03")])

    def test_closed_but_never_opened(self):
        found = mistakes("close 2026-01-02 assets:gold", "2026-01-01 * A", " assets:gold 0 EUR")
        self.assertEqual(found, [(3, "not-open", "assets:gold on 2026-01-01")])

    def test_a_commodity_that_is_not_allowed(self):
        found = mistakes("2026-01-02 * A", " assets:bank 1 ACME", " assets:shares")
        self.assertEqual(found, [(2, "commodity", "ACME")])

    def test_assertions(self):
        lines = ["2026-01-02 * A", " assets:bank 5 EUR = 5 EUR", " expenses:food", "2026-01-03 * B", " assets:bank 1 EUR = 7 EUR", " expenses:food"]
        self.assertEqual(mistakes(*lines), [(5, "assertion", "6.00 EUR")])

    def test_assertions_in_the_order_of_days(self):
        lines = ["2026-01-03 * B", " assets:bank 1 EUR = 6 EUR", " expenses:food", "2026-01-02 * A", " assets:bank 5 EUR = 5 EUR", " expenses:food"]
        self.assertEqual(len(mistakes(*lines)), 0)

    def test_assertions_are_of_one_commodity(self):
        lines = ["2026-01-02 * A", " assets:bank 5 EUR = 0 USD", " expenses:food"]
        self.assertEqual(len(mistakes(*lines)), 0)

    def test_an_assertion_alone(self):
        found = mistakes("2026-01-02 * A", " assets:bank = 1 USD", " expenses:food 0 EUR")
        self.assertEqual(found, [(2, "assertion", "0.00 USD")])

    def test_opened_twice(self):
        self.assertEqual(mistakes("open 2026-02-01 expenses:food USD"), [(1, "open-twice", "expenses:food")])

    def test_the_first_opening_counts(self):
        found = mistakes("open 2026-02-01 expenses:food USD", "2026-01-02 * A", " expenses:food 0 EUR")
        self.assertEqual([kind for _, kind, _ in found], ["open-twice"])

    def test_closed_with_a_balance(self):
        found = mistakes("close 2026-01-02 assets:bank", "2026-01-02 * A", " assets:bank 5 EUR", " expenses:food")
        self.assertEqual(found, [(1, "not-empty", "5.00 EUR")])

    def test_closed_and_emptied_later(self):
        lines = ["2026-01-02 * A", " assets:shares 5 EUR", " expenses:food", "2026-01-03 * A", " assets:shares -5 EUR", " expenses:food"]
        found = mistakes("close 2026-01-02 assets:shares", *lines)
        self.assertEqual([(place, kind) for place, kind, _ in found], [(1, "not-empty"), (6, "not-open")])

    def test_sorted_by_line(self):
        lines = ["2026-01-03 * B", " assets:gold 1 EUR", "2026-01-02 * A", " assets:bank 1 EUR"]
        self.assertEqual([place for place, _, _ in mistakes(*lines)], [1, 2, 3])
