import unittest

from tabq import nodes
from tabq.errors import QueryError
from tabq.parser import parse


def shown(node):
    """An expression with all its brackets."""
    if isinstance(node, nodes.Constant):
        return repr(node.value) if isinstance(node.value, str) else str(node.value)
    if isinstance(node, nodes.Column):
        return node.name
    if isinstance(node, nodes.CountAll):
        return "count(*)"
    if isinstance(node, nodes.Unary):
        return "(%s %s)" % (node.operator, shown(node.operand))
    if isinstance(node, nodes.Binary):
        return "(%s %s %s)" % (shown(node.left), node.operator, shown(node.right))
    if isinstance(node, nodes.Among):
        return "(%s in %s)" % (shown(node.operand), " ".join(shown(c) for c in node.choices))
    return "%s(%s)" % (node.name, " ".join(shown(a) for a in node.arguments))


def expression(text):
    return shown(parse("select " + text).items[0].expression)


def place(text):
    try:
        parse(text)
    except QueryError as error:
        return error.at
    return "no error"


class Precedence(unittest.TestCase):
    def test_products_before_sums(self):
        self.assertEqual(expression("a + b * c - d"), "((a + (b * c)) - d)")

    def test_sums_before_comparisons(self):
        self.assertEqual(expression("a + 1 < b"), "((a + 1) < b)")

    def test_not_and_or(self):
        self.assertEqual(expression("not a or b and c"), "((not a) or (b and c))")

    def test_not_is_weaker_than_a_comparison(self):
        self.assertEqual(expression("not a = b"), "(not (a = b))")

    def test_brackets(self):
        self.assertEqual(expression("(a + b) * c"), "((a + b) * c)")

    def test_left_to_right(self):
        self.assertEqual(expression("a - b - c"), "((a - b) - c)")

    def test_division_left_to_right(self):
        self.assertEqual(expression("a / b * c % d"), "(((a / b) * c) % d)")

    def test_double_minus(self):
        self.assertEqual(expression("- -a * b"), "((- (- a)) * b)")

    def test_joined_texts(self):
        self.assertEqual(expression("a || 'x' || b"), "((a || 'x') || b)")


class Predicates(unittest.TestCase):
    def test_between(self):
        self.assertEqual(expression("a between 1 and 2 and b"), "(((a >= 1) and (a <= 2)) and b)")

    def test_not_between(self):
        self.assertEqual(expression("a not between 1 and 2"), "(not ((a >= 1) and (a <= 2)))")

    def test_in(self):
        self.assertEqual(expression("a in (1, 'x', null)"), "(a in 1 'x' None)")

    def test_not_in(self):
        self.assertEqual(expression("a not in (1)"), "(not (a in 1))")

    def test_is_null(self):
        self.assertEqual(expression("a + 1 is null"), "(is null (a + 1))")

    def test_is_not_null(self):
        self.assertEqual(expression("a is not null"), "(not (is null a))")

    def test_like(self):
        self.assertEqual(expression("a not like 'x%'"), "(not (a like 'x%'))")


class Clauses(unittest.TestCase):
    def test_all_columns(self):
        self.assertEqual(str(parse("select *").items), "None")

    def test_names_of_items(self):
        names = [item.name for item in parse("select a, a+1 as b, price * 2, count ( * ), not  a, 'it''s'").items]
        self.assertEqual(names, ["a", "b", "price*2", "count(*)", "not a", "'it''s'"])

    def test_the_table_has_any_name(self):
        self.assertEqual(shown(parse("select a from sales where b").where), "b")

    def test_groups(self):
        self.assertEqual([shown(g) for g in parse("select a group by a, b+1").group], ["a", "(b + 1)"])

    def test_orders(self):
        orders = parse("select a order by a desc, b asc, c").order
        self.assertEqual([(shown(o.expression), o.descending) for o in orders], [("a", True), ("b", False), ("c", False)])

    def test_limit_and_offset(self):
        query = parse("select a limit 3 offset 2")
        self.assertEqual((query.limit, query.offset), (3, 2))

    def test_no_limit(self):
        query = parse("select a")
        self.assertEqual(str((query.limit, query.offset)), "(None, 0)")

    def test_distinct(self):
        self.assertEqual([parse("select distinct a").distinct, parse("select a").distinct], [True, False])

    def test_calls(self):
        self.assertEqual(expression("Substr(lower(a), 2)"), "substr(lower(a) 2)")


class Mistakes(unittest.TestCase):
    def test_places(self):
        queries = ["a", "select", "select a,", "select a b", "select a +", "select (a", "select a where", "select a not b"]
        self.assertEqual([place(q) for q in queries], [0, 6, 9, 9, 10, 9, 14, 13])

    def test_more_than_a_query(self):
        self.assertEqual(place("select a limit 3 4"), 17)

    def test_a_limit_is_whole(self):
        self.assertEqual(place("select a limit 1.5"), 15)

    def test_unknown_functions(self):
        self.assertEqual(place("select a, frob(b)"), 10)

    def test_too_few_and_too_many_arguments(self):
        self.assertEqual([place("select substr(a)"), place("select lower(a, b)"), place("select substr(a, 1, 2, 3)")], [7, 7, 7])

    def test_right_numbers_of_arguments(self):
        found = [place("select " + call) for call in ("substr(a, 1)", "substr(a, 1, 2)", "coalesce(a, b, c, d)", "join(a, 'x')")]
        self.assertEqual(found, ["no error"] * 4)

    def test_aggregates_in_aggregates(self):
        self.assertEqual(place("select sum(1 + max(a))"), 7)

    def test_aggregates_in_where(self):
        self.assertEqual([place("select a where sum(a) > 1"), place("select a where 1 < count(*)")], [15, 15])

    def test_a_pointed_message(self):
        text = "select a\nfrom t where"
        with self.assertRaises(QueryError) as caught:
            parse(text)
        self.assertEqual(
            caught.exception.pointed(text),
            "an expression was expected, but there is the end\n  from t where\n              ^",
        )


if __name__ == "__main__":
    unittest.main()
