import unittest

from cogvm.errors import SourceError
from cogvm.expressions import Reader, evaluate, names, parse
from cogvm.lexer import number, tokens


def words(text):
    """Tokens as kinds and values."""
    return [(token.kind, token.value) for token in tokens(text, 1)]


def failure(work, *arguments):
    try:
        return work(*arguments)
    except SourceError as error:
        return (error.line, error.message)


def value(text, **known):
    return evaluate(parse(Reader(tokens(text, 1), 1)), known, 1)


class Tokens(unittest.TestCase):
    def test_a_line(self):
        self.assertEqual(words("go: push 5"), [("name", "go"), (":", ":"), ("name", "push"), ("number", 5)])

    def test_a_comment(self):
        self.assertEqual(words("add;x ' y"), [("name", "add")])

    def test_nothing(self):
        self.assertEqual(len(words("  \t ; all of it")), 0)

    def test_directives_and_names(self):
        self.assertEqual(words(".word a_1,_b"), [("name", ".word"), ("name", "a_1"), (",", ","), ("name", "_b")])

    def test_numbers(self):
        self.assertEqual([number(word, 1) for word in ("12", "0x1F", "0b101")], [12, 31, 5])

    def test_bars_in_numbers(self):
        self.assertEqual(number("1_000", 1), 1000)

    def test_wrong_numbers(self):
        found = [failure(number, word, 3) for word in ("12a", "0b12", "0x", "0x_1", "1__0")]
        self.assertEqual([place for place, _ in found], [3, 3, 3, 3, 3])

    def test_what_a_wrong_number_says(self):
        self.assertEqual(failure(tokens, "push 1x", 9), (9, "1x is no number"))

    def test_characters(self):
        self.assertEqual(words(r"'a' '\n' '\'' '\0'"), [("number", 97), ("number", 10), ("number", 39), ("number", 0)])

    def test_texts(self):
        self.assertEqual(words(r'"a;b" "\"\\" ""'), [("text", "a;b"), ("text", '"\\'), ("text", "")])

    def test_the_other_quote_in_a_text(self):
        self.assertEqual(words("\"it's\""), [("text", "it's")])

    def test_a_tab_as_escape(self):
        self.assertEqual(words(r'"\t1"'), [("text", "\t1")])

    def test_open_quotes(self):
        self.assertEqual([failure(tokens, text, 1)[1] for text in ('"a', "'", '"a\\"')], ["a quote is not closed"] * 3)

    def test_unknown_escapes(self):
        self.assertEqual([failure(tokens, text, 2) for text in (r'"\x"', '"\\')], [(2, "this escape is not known")] * 2)

    def test_not_one_character(self):
        self.assertEqual([failure(tokens, text, 1)[0] for text in ("''", "'ab'")], [1, 1])

    def test_what_was_not_expected(self):
        self.assertEqual(failure(tokens, "push #1", 4), (4, "'#' was not expected"))


class Expressions(unittest.TestCase):
    def test_strength(self):
        self.assertEqual([value("2+3*4"), value("2*3+4"), value("(2+3)*4")], [14, 10, 20])

    def test_side(self):
        self.assertEqual([value("10-3-2"), value("100/5/2"), value("7/2*2")], [5, 10, 6])

    def test_minus_in_front(self):
        self.assertEqual([value("-3+5"), value("--4"), value("2*-3"), value("-(1+2)")], [2, 4, -6, -3])

    def test_names(self):
        self.assertEqual(value("a + b*2", a=1, b=10), 21)

    def test_division_goes_towards_zero(self):
        self.assertEqual([value("7/2"), value("-7/2")], [3, -3])

    def test_division_by_zero(self):
        self.assertEqual(failure(value, "1/(2-2)"), (1, "a division by zero"))

    def test_unknown_names(self):
        self.assertEqual(failure(value, "1 + x"), (1, "x is not known"))

    def test_names_in_an_expression(self):
        self.assertEqual(names(parse(Reader(tokens("b*(a-1) + -b", 1), 1))), ["a", "b"])

    def test_trees(self):
        tree = parse(Reader(tokens("1 - x", 1), 1))
        self.assertEqual(tree, ("-", ("number", 1), ("name", "x")))

    def test_a_bracket_is_missing(self):
        self.assertEqual(failure(value, "(1 + 2"), (1, "a closing bracket was expected"))

    def test_an_operand_is_missing(self):
        self.assertEqual([failure(value, text)[1] for text in ("1 +", "", "* 2")], ["a number or a name was expected"] * 3)
