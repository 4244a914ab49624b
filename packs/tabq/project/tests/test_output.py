import io
import unittest
from decimal import Decimal

from tabq import Table
from tabq.cli import main
from tabq.render import grid, markdown

TABLE = Table(["item", "n"], [["nail", Decimal("100")], ["a | b", None], ["two\nlines", Decimal("2.5")]])


def command(arguments, text="a,b\n1,x\n2,y\n"):
    out, errors = io.StringIO(), io.StringIO()
    code = main(arguments, io.StringIO(text), out, errors)
    return code, out.getvalue(), errors.getvalue()


class Grids(unittest.TestCase):
    def test_numbers_to_the_right(self):
        self.assertEqual(grid(TABLE), "item         n\n---------  ---\nnail       100\na | b\ntwo lines  2.5\n")

    def test_wide_cells_are_cut(self):
        self.assertEqual(grid(TABLE, 4), "item    n\n----  ---\nnail  100\na |~\ntwo~  2.5\n")

    def test_a_column_of_texts_and_numbers(self):
        self.assertEqual(grid(Table(["c"], [["abc"], [Decimal("1")]])), "c\n---\nabc\n1\n")

    def test_a_column_of_nulls(self):
        self.assertEqual(grid(Table(["col", "d"], [[None, "x"]])), "col  d\n---  -\n     x\n")


class Markdown(unittest.TestCase):
    def test_markdown(self):
        self.assertEqual(
            markdown(TABLE),
            "| item | n |\n| --- | ---: |\n| nail | 100 |\n| a \\| b |  |\n| two lines | 2.5 |\n",
        )

    def test_line_ends_of_other_systems(self):
        self.assertEqual(markdown(Table(["a"], [["x\r\ny"]])), "| a |\n| --- |\n| x y |\n")


class Command(unittest.TestCase):
    def test_a_query(self):
        self.assertEqual(command(["select b where a > 1"]), (0, "b\ny\n", ""))

    def test_no_header(self):
        self.assertEqual(command(["-n", "select c2 limit 1"]), (0, "c2\nb\n", ""))

    def test_a_tab(self):
        self.assertEqual(command(["-d", "\\t", "select b, a"], "a\tb\n1\tx\n"), (0, "b\ta\nx\t1\n", ""))

    def test_a_grid(self):
        self.assertEqual(command(["-f", "grid", "-w", "3", "select a, 'abcdef' as t limit 1"])[1], "a  t\n-  ---\n1  ab~\n")

    def test_markdown(self):
        self.assertEqual(command(["-f", "markdown", "select a limit 1"])[1], "| a |\n| ---: |\n| 1 |\n")

    def test_a_wrong_query(self):
        code, out, errors = command(["select c"])
        self.assertEqual((code, out, errors), (1, "", "tabq: there is no column 'c'; there are a, b\n  select c\n         ^\n"))

    def test_a_wrong_input(self):
        self.assertEqual(command(["select a"], 'a\n"x'), (1, "", "tabq: input: a quoted cell does not end\n"))

    def test_wrong_arguments(self):
        given = [[], ["-x", "q"], ["q", "r"], ["-d"], ["-d", "ab", "q"], ["-f", "xml", "q"], ["-w", "1", "q"], ["-w", "a", "q"]]
        found = [command(arguments) for arguments in given]
        self.assertEqual([code for code, _, _ in found], [2] * 8)

    def test_what_is_wrong_with_arguments(self):
        errors = [command(arguments)[2].splitlines()[0] for arguments in ([], ["-d"], ["q", "r"], ["-f", "xml", "q"])]
        self.assertEqual(errors, ["tabq: there is no query", "tabq: -d needs a value", "tabq: there is more than one query", "tabq: there is no form 'xml'"])

    def test_the_least_width(self):
        self.assertEqual(command(["-f", "grid", "-w", "2", "select 'abc' as t limit 1"])[1], "t\n--\na~\n")


if __name__ == "__main__":
    unittest.main()
