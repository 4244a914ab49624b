import io
import os
import tempfile
import unittest

from daybook.cli import main

BOOK = """commodity EUR 2
open 2026-01-01 assets:bank
open 2026-01-01 expenses:food
open 2026-01-01 expenses:rent
2026-01-05 * Shop
    expenses:food  12.30 EUR
    assets:bank
2026-02-01 * Landlord
    expenses:rent  1,000 EUR
    assets:bank
"""


class Command(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)

    def run_command(self, command, *arguments, text=BOOK):
        path = os.path.join(self.place.name, "book")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        out, errors = io.StringIO(), io.StringIO()
        code = main([command, path] + list(arguments), out, errors)
        return code, out.getvalue(), errors.getvalue()

    def usage(self, *arguments):
        errors = io.StringIO()
        code = main(list(arguments), io.StringIO(), errors)
        return code, errors.getvalue().split("\n")[0]

    def test_check(self):
        self.assertEqual(self.run_command("check"), (0, "", ""))

    def test_check_with_a_mistake(self):
        found = self.run_command("check", text=BOOK.replace("1,000 EUR", "1 EUR\n    expenses:rent  1 EUR = 3 EUR"))
        self.assertEqual(found, (1, "line 10: assertion: 2.00 EUR\n", ""))

    def test_balance(self):
        expected = "-1,012.30 EUR  assets:bank\n 1,012.30 EUR  expenses\n    12.30 EUR    food\n 1,000.00 EUR    rent\n-------------\n            0\n"
        self.assertEqual(self.run_command("balance"), (0, expected, ""))

    def test_balance_of_an_account(self):
        expected = "1,000.00 EUR  expenses:rent\n------------\n1,000.00 EUR\n"
        self.assertEqual(self.run_command("balance", "expenses", "--from", "2026-02-01")[1], expected)

    def test_register(self):
        expected = "2026-01-05  Shop      assets:bank     -12.30 EUR     -12.30 EUR\n"
        expected += "2026-02-01  Landlord  assets:bank  -1,000.00 EUR  -1,012.30 EUR\n"
        self.assertEqual(self.run_command("register", "assets")[1], expected)

    def test_register_until_a_day(self):
        found = self.run_command("register", "expenses", "--to", "2026-01-31")[1]
        self.assertEqual(found, "2026-01-05  Shop  expenses:food  12.30 EUR  12.30 EUR\n")

    def test_months(self):
        expected = "2026-01     12.30 EUR   12.30 EUR\n2026-02  1,000.00 EUR  506.15 EUR\n"
        self.assertEqual(self.run_command("months", "expenses"), (0, expected, ""))

    def test_close(self):
        expected = "2026-12-31 * Closing 2026\n    expenses:food       -12.30 EUR\n    expenses:rent    -1,000.00 EUR\n"
        expected += "    equity:earnings   1,012.30 EUR\n"
        self.assertEqual(self.run_command("close", "2026"), (0, expected, ""))

    def test_close_without_a_year(self):
        code, out, errors = self.run_command("close", "now")
        self.assertEqual((code, out, errors.split("\n")[0]), (2, "", "daybook: a year was expected"))

    def test_a_wrong_book(self):
        self.assertEqual(self.run_command("check", text="open\n"), (2, "", "daybook: line 1: a date was expected\n"))

    def test_a_missing_file(self):
        code, said = self.usage("check", os.path.join(self.place.name, "none"))
        self.assertEqual((code, said[:18]), (2, "daybook: [Errno 2]"))

    def test_commands(self):
        self.assertEqual([self.usage(), self.usage("sum", "a")], [(2, "daybook: a command was expected")] * 2)

    def test_numbers_of_arguments(self):
        found = [self.usage(*words) for words in (["check"], ["check", "a", "b"], ["register", "a"], ["balance", "a", "b", "c"])]
        self.assertEqual(found, [(2, "daybook: wrong number of arguments")] * 4)

    def test_unknown_options(self):
        found = [self.usage("balance", "a", "--by", "x"), self.usage("check", "a", "--to", "2026-01-01")]
        self.assertEqual(found, [(2, "daybook: balance has no option --by"), (2, "daybook: check has no option --to")])

    def test_options_need_dates(self):
        found = [self.usage("balance", "a", "--to"), self.usage("balance", "a", "--to", "2026-13-01")]
        self.assertEqual(found, [(2, "daybook: --to needs a date")] * 2)
