import unittest

from daybook import BookError, read

HEAD = "commodity EUR 2\ncommodity BTC 4\n"


def failure(*lines):
    """What is wrong with lines behind two commodities."""
    try:
        return read(HEAD + "\n".join(lines))
    except BookError as error:
        return "%d: %s" % (error.line, error.message)


def posting(text):
    return read(HEAD + "2026-01-01 * Shop\n " + text).transactions[0].postings[0]


class Declarations(unittest.TestCase):
    def test_commodities(self):
        self.assertEqual(sorted(read(HEAD).places.items()), [("BTC", 4), ("EUR", 2)])

    def test_wrong_commodities(self):
        found = [failure(line) for line in ("commodity EUR", "commodity eur 2", "commodity TOOLONGNAME 2", "commodity A 1 2")]
        self.assertEqual(found, ["3: commodity NAME PLACES was expected"] * 4)

    def test_places(self):
        found = [failure("commodity A %s" % places) for places in ("7", "x", "-1")]
        self.assertEqual(found, ["3: places are from 0 to 6"] * 3)

    def test_the_most_places(self):
        self.assertEqual(read("commodity AAAAAAAA 6").places["AAAAAAAA"], 6)

    def test_a_commodity_twice(self):
        self.assertEqual(failure("commodity EUR 3"), "3: EUR is there already")

    def test_open(self):
        found = read(HEAD + "open 2026-01-02 assets:bank EUR BTC").opens[0]
        self.assertEqual(tuple(found), (3, (2026, 1, 2), "assets:bank", ["EUR", "BTC"]))

    def test_open_for_all(self):
        self.assertEqual(len(read("open 2026-01-02 assets:bank").opens[0].commodities), 0)

    def test_close(self):
        self.assertEqual(tuple(read("\nclose 2026-01-02 assets:bank").closes[0]), (2, (2026, 1, 2), "assets:bank"))

    def test_wrong_dates(self):
        self.assertEqual([failure("open"), failure("close 2026-02-30 assets:a")], ["3: a date was expected"] * 2)

    def test_wrong_accounts(self):
        self.assertEqual([failure("open 2026-01-01"), failure("close 2026-01-01 bank")], ["3: an account was expected"] * 2)

    def test_unknown_commodities(self):
        self.assertEqual(failure("open 2026-01-01 assets:a USD"), "3: USD is no commodity")

    def test_too_much(self):
        self.assertEqual(failure("close 2026-01-01 assets:a EUR"), "3: EUR was not expected")


class Transactions(unittest.TestCase):
    def test_a_head(self):
        found = read("2026-01-05 * Corner shop | bread and milk").transactions[0]
        self.assertEqual((found.line, found.day, found.payee, found.note), (1, (2026, 1, 5), "Corner shop", "bread and milk"))

    def test_without_a_note(self):
        found = read("2026-01-05 * Corner   shop").transactions[0]
        self.assertEqual((found.payee, found.note), ("Corner shop", ""))

    def test_cleared_and_pending(self):
        found = read("2026-01-05 * A\n2026-01-05 ! B").transactions
        self.assertEqual([one.is_cleared for one in found], [True, False])

    def test_tags(self):
        found = read("2026-01-05 * A #x | B # c #y-1").transactions[0]
        self.assertEqual((found.payee, found.note, found.tags), ("A", "B # c", ["x", "y-1"]))

    def test_comments(self):
        found = read("; * no\n2026-01-05 * A;b ; c\n  ; d").transactions
        self.assertEqual([(one.line, one.payee) for one in found], [(2, "A;b")])

    def test_no_sign(self):
        self.assertEqual([failure("2026-01-05"), failure("2026-01-05 Shop")], ["3: * or ! was expected behind the date"] * 2)

    def test_no_payee(self):
        self.assertEqual([failure("2026-01-05 *"), failure("2026-01-05 * #a | b")], ["3: a payee was expected"] * 2)

    def test_unknown_words(self):
        self.assertEqual(failure("balance 2026-01-05"), "3: a date was expected")


class Postings(unittest.TestCase):
    def test_an_amount(self):
        found = posting("assets:bank -1,000.5 EUR")
        self.assertEqual((found.line, found.account, tuple(found.amount)), (4, "assets:bank", (-100050, "EUR")))

    def test_neither_price_nor_balance(self):
        found = posting("assets:bank 1 EUR")
        self.assertEqual((found.price, found.balance), (None, None))

    def test_no_amount(self):
        self.assertEqual(tuple(posting("assets:bank"))[2:], (None, None, None))

    def test_a_price(self):
        found = posting("assets:coins 0.5 BTC @ 40,000 EUR")
        self.assertEqual((tuple(found.amount), tuple(found.price)), ((5000, "BTC"), (4000000, "EUR")))

    def test_a_balance(self):
        found = posting("assets:bank 1 EUR = 3 EUR")
        self.assertEqual((found.amount.quantity, found.balance.quantity), (100, 300))

    def test_a_balance_without_an_amount(self):
        found = posting("assets:bank = 3 EUR")
        self.assertEqual((found.amount, tuple(found.balance)), (None, (300, "EUR")))

    def test_a_price_and_a_balance(self):
        found = posting("assets:coins 1 BTC @ 2 EUR = 3 BTC")
        self.assertEqual((found.price.quantity, found.balance.quantity), (200, 30000))

    def test_they_belong_to_the_last_transaction(self):
        found = read(HEAD + "2026-01-01 * A\n assets:a 1 EUR\n2026-01-02 * B\n assets:b 2 EUR\n assets:c").transactions
        self.assertEqual([[one.account for one in entry.postings] for entry in found], [["assets:a"], ["assets:b", "assets:c"]])

    def test_before_the_first_transaction(self):
        self.assertEqual(failure(" assets:a 1 EUR"), "3: a posting stands before the first transaction")

    def test_no_account(self):
        self.assertEqual(failure("2026-01-01 * A", " bank 1 EUR"), "4: an account was expected")

    def test_no_number(self):
        self.assertEqual(failure("2026-01-01 * A", " assets:a 1.234 EUR"), "4: 1.234 is no number of EUR")

    def test_no_commodity(self):
        found = [failure("2026-01-01 * A", " assets:a 1%s" % word) for word in ("", " USD")]
        self.assertEqual(found, ["4: nothing is no commodity", "4: USD is no commodity"])

    def test_a_negative_price(self):
        self.assertEqual(failure("2026-01-01 * A", " assets:a 1 BTC @ -1 EUR"), "4: a price is not negative")

    def test_a_price_of_zero(self):
        self.assertEqual(posting("assets:coins 1 BTC @ 0 EUR").price.quantity, 0)

    def test_a_price_without_an_amount(self):
        self.assertEqual(failure("2026-01-01 * A", " assets:a @ 1 EUR"), "4: 1 is no commodity")

    def test_too_much(self):
        self.assertEqual(failure("2026-01-01 * A", " assets:a 1 EUR = 1 EUR x"), "4: x was not expected")

    def test_two_without_amounts(self):
        self.assertEqual(failure("2026-01-01 * A", " assets:a", " assets:b 1 EUR", " assets:c"), "6: two postings leave their amounts out")
