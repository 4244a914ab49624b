import unittest

from warden import ConditionError, PolicyError
from warden.conditions import parse
from warden.lexer import Reader, tokens
from warden.values import evaluate

SOURCES = {
    "user": {"name": "ann", "level": 3, "tags": ["a", "b"], "admin": False},
    "doc": {"path": "docs/x", "state": "draft", "size": 10},
    "env": {"hour": 22},
}


def tree(text):
    return parse(Reader(tokens(text, 1), 1))


def value(text):
    try:
        return evaluate(tree(text), SOURCES)
    except ConditionError as error:
        return str(error)


def failure(text):
    try:
        reader = Reader(tokens(text, 7), 7)
        return parse(reader)
    except PolicyError as error:
        return (error.line, error.message)


class Tokens(unittest.TestCase):
    def words(self, text):
        return [(token.kind, token.value) for token in tokens(text, 1)]

    def test_kinds(self):
        self.assertEqual(self.words('a <= 5 "x y"'), [("word", "a"), ("sign", "<="), ("number", 5), ("text", "x y")])

    def test_signs(self):
        self.assertEqual([value for _, value in self.words("==!=<>=>[](),")], ["==", "!=", "<", ">=", ">", "[", "]", "(", ")", ","])

    def test_words(self):
        found = [value for _, value in self.words("docs/{user}/*.txt user.name @staff a-b **")]
        self.assertEqual(found, ["docs/{user}/*.txt", "user.name", "@staff", "a-b", "**"])

    def test_numbers(self):
        self.assertEqual(self.words("-5 2024/x 3d"), [("number", -5), ("word", "2024/x"), ("word", "3d")])

    def test_comments(self):
        self.assertEqual(self.words('a "#" # b'), [("word", "a"), ("text", "#")])

    def test_nothing(self):
        self.assertEqual([len(self.words(text)) for text in ("", "   ", "# a")], [0, 0, 0])

    def test_what_was_not_expected(self):
        self.assertEqual([failure("a ; b"), failure('a == "b')], [(7, "; was not expected"), (7, '" was not expected')])


class Trees(unittest.TestCase):
    def test_strength(self):
        found = tree("true or false and not true")
        self.assertEqual(found, ("or", ("value", True), ("and", ("value", False), ("not", ("value", True)))))

    def test_side(self):
        self.assertEqual(tree("1 or 2 or 3"), ("or", ("or", ("value", 1), ("value", 2)), ("value", 3)))

    def test_not_of_a_comparison(self):
        self.assertEqual(tree("not 1 == 2"), ("not", ("==", ("value", 1), ("value", 2))))

    def test_brackets(self):
        self.assertEqual(tree("(1 or 2) and 3"), ("and", ("or", ("value", 1), ("value", 2)), ("value", 3)))

    def test_lists(self):
        self.assertEqual(tree('[1, "a", []]'), ("list", [("value", 1), ("value", "a"), ("list", [])]))

    def test_functions(self):
        self.assertEqual(tree("has(env.a-b)"), ("has", ("attribute", "env", "a-b")))

    def test_attributes(self):
        self.assertEqual(tree("user.x.y"), ("attribute", "user", "x.y"))

    def test_chains(self):
        self.assertEqual(failure("1 < 2 < 3"), (7, "comparisons cannot be chained"))

    def test_no_values(self):
        found = [failure(text)[1] for text in ("me.x", "user", "user.", "count")]
        self.assertEqual(found, ["me.x is no value", "user is no value", "user. is no value", "count is no value"])

    def test_what_is_missing(self):
        found = [failure(text)[1] for text in ("1 ==", "(1", "[1 2]", "not )")]
        expected = ["a value was expected, not the end of the line", ") was expected, not the end of the line"]
        self.assertEqual(found[:2] + found[3:], expected + ["a value was expected, not )"])
        self.assertEqual(found[2], ", was expected, not 2")

    def test_has_wants_an_attribute(self):
        self.assertEqual(failure("has(1)"), (7, "has wants an attribute"))


class Values(unittest.TestCase):
    def test_attributes(self):
        self.assertEqual([value("user.level"), value("doc.state"), value("env.hour")], [3, "draft", 22])

    def test_a_missing_attribute(self):
        self.assertEqual(value("user.x == 1"), "user.x is not there")

    def test_has(self):
        self.assertEqual([value("has(user.level)"), value("has(doc.level)")], [True, False])
        self.assertEqual("%d%d" % (value("has(user.admin)"), value("has(env.x)")), "10")

    def test_equal(self):
        found = "".join("ny"[value(text)] for text in ("1 == 1", '"a" == "b"', "1 == true", '1 == "1"', "[1] == [1]"))
        self.assertEqual(found, "ynnny")

    def test_equal_lists(self):
        found = "".join("ny"[value(text)] for text in ("[1, 2] == [1]", "[1] == [true]", "[[1]] == [[1]]", "[1, 2] == [2, 1]"))
        self.assertEqual(found, "nnyn")

    def test_not_equal(self):
        found = "".join("ny"[value(text)] for text in ("1 != 1", "1 != 2", "0 != false"))
        self.assertEqual(found, "nyy")

    def test_less(self):
        found = "".join("ny"[value(text)] for text in ("1 < 2", "2 < 2", "2 <= 2", "3 <= 2", '"a" < "b"'))
        self.assertEqual(found, "ynyny")

    def test_greater(self):
        found = "".join("ny"[value(text)] for text in ("2 > 1", "2 > 2", "2 >= 2", "1 >= 2", '"b" > "a"'))
        self.assertEqual(found, "ynyny")

    def test_orders_of_other_kinds(self):
        self.assertEqual([value('1 < "2"'), value("true > false")], ["< is not between a number and a text", "> is not between a truth and a truth"])

    def test_in_lists(self):
        found = "".join("ny"[value(text)] for text in ('"a" in user.tags', '"c" in user.tags', "1 in [true]", "[1] in [[1]]"))
        self.assertEqual(found, "ynny")

    def test_in_texts(self):
        found = "".join("ny"[value(text)] for text in ('"raf" in doc.state', '"x" in doc.state'))
        self.assertEqual(found, "yn")

    def test_in_of_other_kinds(self):
        self.assertEqual(value('1 in "1"'), "in is not between a number and a text")

    def test_like(self):
        found = "".join("ny"[value(text)] for text in ('doc.path like "docs/*"', '"a" like "b*"', '"a*" like "a"'))
        self.assertEqual(found, "ynn")

    def test_like_of_other_kinds(self):
        self.assertEqual(value('1 like "1"'), "like is not between a number and a text")

    def test_and(self):
        found = "".join("ny"[value(text)] for text in ("true and true", "true and false", "false and true"))
        self.assertEqual(found, "ynn")

    def test_or(self):
        found = "".join("ny"[value(text)] for text in ("false or true", "false or false", "true or false"))
        self.assertEqual(found, "yny")

    def test_the_right_side_is_not_looked_at(self):
        found = "".join("ny"[value(text)] for text in ("false and user.x", "true or user.x"))
        self.assertEqual(found, "ny")

    def test_not(self):
        self.assertEqual("".join("ny"[value(text)] for text in ("not user.admin", "not not user.admin")), "yn")

    def test_truth_is_wanted(self):
        found = [value(text) for text in ("not 1", "1 or true", "true and 1")]
        self.assertEqual(found, ["true or false was expected"] * 3)

    def test_functions(self):
        self.assertEqual([value("count(user.tags)"), value("count(doc.state)"), value('lower("AbC")')], [2, 5, "abc"])

    def test_functions_of_other_kinds(self):
        self.assertEqual([value("count(1)"), value("lower([])")], ["count cannot be used with a number", "lower cannot be used with a list"])
