import unittest

from tabq import QueryError, Table, query, read_table
from tabq.reader import write_table

SALES = read_table(
    "day,city,item,price,count\n"
    "1,Oslo,nail,0.10,100\n"
    "1,Bonn,lamp,20,2\n"
    "2,Oslo,lamp,19.50,1\n"
    "2,Rome,nail,,40\n"
    "3,Bonn,tape,3.25,4\n"
    "3,,tape,3,1\n"
)


def lines(text, table=SALES):
    """The lines of a result, the header too."""
    return write_table(query(text, table)).splitlines()


class Rows(unittest.TestCase):
    def test_all_columns(self):
        self.assertEqual(query("select *", SALES) == SALES, True)

    def test_where(self):
        self.assertEqual(lines("select item, price where price > 3"), ["item,price", "lamp,20", "lamp,19.5", "tape,3.25"])

    def test_null_is_not_true(self):
        self.assertEqual(lines("select count(*) as n where not price > 3"), ["n", "2"])

    def test_columns_without_regard_to_case(self):
        self.assertEqual(lines("select CITY where Count = 40"), ["CITY", "Rome"])

    def test_limit_and_offset(self):
        self.assertEqual(lines("select item limit 2 offset 3"), ["item", "nail", "tape"])

    def test_limit_of_nothing(self):
        self.assertEqual(lines("select item limit 0"), ["item"])

    def test_an_offset_behind_the_end(self):
        self.assertEqual(lines("select item limit 5 offset 5"), ["item", "tape"])

    def test_distinct(self):
        self.assertEqual(lines("select distinct item"), ["item", "nail", "lamp", "tape"])

    def test_distinct_before_limit(self):
        self.assertEqual(lines("select distinct item limit 2 offset 1"), ["item", "lamp", "tape"])

    def test_equal_names_are_numbered(self):
        self.assertEqual(lines("select day, Day, day as x, day limit 1"), ["day,Day_2,x,day_3", "1,1,1,1"])

    def test_an_unknown_column(self):
        with self.assertRaises(QueryError) as caught:
            query("select item, cost", SALES)
        self.assertEqual((caught.exception.at, caught.exception.message),
                         (13, "there is no column 'cost'; there are day, city, item, price, count"))


class Ordering(unittest.TestCase):
    def test_numbers(self):
        self.assertEqual(lines("select count order by count"), ["count", "1", "1", "2", "4", "40", "100"])

    def test_nulls_first(self):
        self.assertEqual(lines("select distinct city order by city"), ["city", "", "Bonn", "Oslo", "Rome"])

    def test_nulls_last(self):
        self.assertEqual(lines("select distinct city order by city desc"), ["city", "Rome", "Oslo", "Bonn", ""])

    def test_two_keys(self):
        self.assertEqual(
            lines("select item, count order by item desc, count"),
            ["item,count", "tape,1", "tape,4", "nail,40", "nail,100", "lamp,1", "lamp,2"],
        )

    def test_equal_rows_keep_their_order(self):
        self.assertEqual(lines("select city, day order by day desc limit 3"), ["city,day", "Bonn,3", ",3", "Oslo,2"])

    def test_by_a_name_of_the_result(self):
        self.assertEqual(lines("select item, -count as x order by X limit 2"), ["item,x", "nail,-100", "nail,-40"])

    def test_by_what_is_not_shown(self):
        self.assertEqual(lines("select item order by price * count desc limit 2"), ["item", "lamp", "lamp"])


class Groups(unittest.TestCase):
    def test_sums(self):
        self.assertEqual(
            lines("select item, sum(price * count) as total, count(*) as n group by item"),
            ["item,total,n", "nail,10,2", "lamp,59.5,2", "tape,16,2"],
        )

    def test_nulls_do_not_count(self):
        self.assertEqual(lines("select count(price) as p, count(*) as n, count(city) as c"), ["p,n,c", "5,6,5"])

    def test_null_is_a_group(self):
        self.assertEqual(lines("select city, count(*) as n group by city"), ["city,n", "Oslo,2", "Bonn,2", "Rome,1", ",1"])

    def test_two_keys(self):
        self.assertEqual(lines("select day, item group by item, day > 1 order by day, item"),
                         ["day,item", "1,lamp", "1,nail", "2,lamp", "2,nail", "3,tape"])

    def test_having(self):
        self.assertEqual(lines("select item group by item having sum(count) > 5"), ["item", "nail"])

    def test_having_without_groups(self):
        self.assertEqual(lines("select sum(count) as s having count(*) > 6"), ["s"])

    def test_order_by_an_aggregate(self):
        self.assertEqual(lines("select item group by item order by max(count) desc"), ["item", "nail", "tape", "lamp"])

    def test_averages(self):
        self.assertEqual(lines("select avg(price) as p, min(price) as l, max(price) as h"), ["p,l,h", "9.17,0.1,20"])

    def test_min_of_texts(self):
        self.assertEqual(lines("select min(city) as a, max(city) as b"), ["a,b", "Bonn,Rome"])

    def test_join(self):
        self.assertEqual(lines("select join(city, '/') as c"), ["c", "Oslo/Bonn/Oslo/Rome/Bonn"])

    def test_aggregates_of_nothing(self):
        self.assertEqual(lines("select count(*) as n, sum(count) as s, max(day) as m, join(city, ',') as j, city where day > 9"),
                         ["n,s,m,j,city", "0,,,,"])

    def test_groups_of_nothing(self):
        self.assertEqual(lines("select city, count(*) where day > 9 group by city"), ["city,count(*)"])

    def test_an_item_of_the_first_row(self):
        self.assertEqual(lines("select item, day, count(*) as n group by city limit 2"), ["item,day,n", "nail,1,2", "lamp,1,2"])


class Expressions(unittest.TestCase):
    def value(self, text):
        return lines("select %s as v limit 1" % text)[1]

    def test_null_logic(self):
        found = [self.value(t) for t in ("null and false", "null or true", "null and true", "not null", "null = null")]
        self.assertEqual(found, ["false", "true", "", "", ""])

    def test_between_includes_both_ends(self):
        self.assertEqual([self.value("%d between 2 and 4" % n) for n in (1, 2, 4, 5)], ["false", "true", "true", "false"])

    def test_in(self):
        found = [self.value(t) for t in ("2 in (1, 2)", "3 in (1, 2)", "3 in (1, null)", "1 in (1, null)", "'a' not in ('b')")]
        self.assertEqual(found, ["true", "false", "", "true", "true"])

    def test_joined_texts(self):
        self.assertEqual([self.value("'a' || 1.50"), self.value("'a' || null")], ["a1.5", ""])

    def test_is_null(self):
        self.assertEqual([self.value("null is null"), self.value("1 is null"), self.value("1 is not null")], ["true", "false", "true"])

    def test_like(self):
        self.assertEqual([self.value("'Oslo' like 'o%'"), self.value("null like 'o'"), self.value("15 like '1_'")], ["true", "", "true"])

    def test_negative(self):
        self.assertEqual([self.value("-(3)"), self.value("-'x'"), self.value("1 - -1")], ["-3", "", "2"])

    def test_conditions_of_numbers(self):
        self.assertEqual([self.value("not 0"), self.value("not 2"), self.value("1 and 0")], ["true", "false", "false"])


class Tables(unittest.TestCase):
    def test_short_rows_are_filled(self):
        self.assertEqual(str(Table(["a", "b"], [["x"]]).rows), "[['x', None]]")

    def test_long_rows_are_refused(self):
        with self.assertRaises(QueryError) as caught:
            Table(["a"], [["x", "y"]])
        self.assertEqual(caught.exception.message, "a row has 2 cells, but there are 1 columns")

    def test_no_column_twice(self):
        with self.assertRaises(QueryError) as caught:
            Table(["a", "A"])
        self.assertEqual(caught.exception.message, "the column 'A' is there twice")

    def test_one_column(self):
        self.assertEqual(SALES.column("City"), ["Oslo", "Bonn", "Oslo", "Rome", "Bonn", None])


if __name__ == "__main__":
    unittest.main()
