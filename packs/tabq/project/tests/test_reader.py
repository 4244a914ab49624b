import unittest
from decimal import Decimal

from tabq import QueryError, Table, read_table, write_table
from tabq.reader import records


def cells(text, delimiter=","):
    return [[cell for cell, _ in record] for record in records(text, delimiter)]


class Records(unittest.TestCase):
    def test_plain(self):
        self.assertEqual(cells("a,b\nc,d\n"), [["a", "b"], ["c", "d"]])

    def test_no_newline_at_the_end(self):
        self.assertEqual(cells("a,b\nc"), [["a", "b"], ["c"]])

    def test_line_ends_of_other_systems(self):
        self.assertEqual(cells("a\r\nb\rc\n"), [["a"], ["b"], ["c"]])

    def test_empty_lines_are_skipped(self):
        self.assertEqual(cells("\n\na\n\n\r\nb\n\n"), [["a"], ["b"]])

    def test_empty_cells(self):
        self.assertEqual(cells(",a,,b,\n"), [["", "a", "", "b", ""]])

    def test_an_empty_cell_at_the_end(self):
        self.assertEqual(cells("a,"), [["a", ""]])

    def test_quotes(self):
        self.assertEqual(cells('"a,b","c\nd","e""f"'), [["a,b", "c\nd", 'e"f']])

    def test_a_quoted_empty_cell(self):
        self.assertEqual(list(records('"",x')), [[("", True), ("x", False)]])

    def test_a_quote_inside_of_a_cell(self):
        self.assertEqual(cells('a"b,c'), [['a"b', "c"]])

    def test_other_delimiters(self):
        self.assertEqual(cells("a;b,c;d", ";"), [["a", "b,c", "d"]])

    def test_an_open_quote(self):
        with self.assertRaises(QueryError) as caught:
            cells('a,"b')
        self.assertEqual(caught.exception.at, 2)

    def test_text_behind_a_quote(self):
        with self.assertRaises(QueryError) as caught:
            cells('"a"b,c')
        self.assertEqual(caught.exception.at, 3)


class Reading(unittest.TestCase):
    def test_values(self):
        table = read_table("n,t\n1.5,x\n,2b\n")
        self.assertEqual(table.rows, [[Decimal("1.5"), "x"], [None, "2b"]])

    def test_quoted_numbers_are_texts(self):
        self.assertEqual(read_table('a\n"12"\n').rows, [["12"]])

    def test_quoted_nothing_is_a_text(self):
        self.assertEqual(read_table('a,b\n"",\n').rows, [["", None]])

    def test_names_without_blanks(self):
        self.assertEqual(read_table(" a , b\n").columns, ["a", "b"])

    def test_without_a_header(self):
        table = read_table("1,2\n3,4,5\n", header=False)
        self.assertEqual((table.columns, len(table.rows)), (["c1", "c2", "c3"], 2))

    def test_nothing(self):
        self.assertEqual(read_table("").columns, [])


class Writing(unittest.TestCase):
    def test_plain(self):
        self.assertEqual(write_table(Table(["a", "b"], [[Decimal("1.50"), "x"], [None, True]])), "a,b\n1.5,x\n,true\n")

    def test_quotes_where_needed(self):
        table = Table(["a"], [["x,y"], ['say "hi"'], ["two\nlines"], ["12"], [""], ["plain"]])
        self.assertEqual(write_table(table), 'a\n"x,y"\n"say ""hi"""\n"two\nlines"\n"12"\n""\nplain\n')

    def test_other_delimiters(self):
        self.assertEqual(write_table(Table(["a", "b"], [["x,y", "p;q"]]), ";"), 'a;b\nx,y;"p;q"\n')

    def test_there_and_back(self):
        table = Table(["a", "b c"], [["1", Decimal("1")], [None, ""], ["é\r", " x"]])
        self.assertEqual(read_table(write_table(table)) == table, True)


if __name__ == "__main__":
    unittest.main()
