import unittest

from tabq.errors import QueryError
from tabq.lexer import tokens


def kinds(text):
    return [(token.kind, token.value) for token in tokens(text)[:-1]]


class Words(unittest.TestCase):
    def test_words_of_the_language_are_lowered(self):
        self.assertEqual(kinds("SELECT Name"), [("word", "select"), ("name", "Name")])

    def test_names_hold_digits_and_underscores(self):
        self.assertEqual(kinds("a_1b _x"), [("name", "a_1b"), ("name", "_x")])

    def test_a_word_in_a_longer_name_is_no_word(self):
        self.assertEqual(kinds("selected"), [("name", "selected")])

    def test_places(self):
        self.assertEqual([token.at for token in tokens("ab  cd")], [0, 4, 6])

    def test_a_comment_ends_with_its_line(self):
        self.assertEqual(kinds("a -- b c\nd"), [("name", "a"), ("name", "d")])

    def test_a_comment_at_the_end(self):
        self.assertEqual(kinds("a --b"), [("name", "a")])


class Numbers(unittest.TestCase):
    def test_whole_and_decimal(self):
        self.assertEqual(kinds("12 3.50 .5"), [("number", "12"), ("number", "3.50"), ("number", ".5")])

    def test_a_second_dot_ends_a_number(self):
        self.assertEqual(kinds("1.2.3"), [("number", "1.2"), ("number", ".3")])

    def test_a_letter_behind_a_number(self):
        with self.assertRaises(QueryError) as caught:
            tokens("x 12b")
        self.assertEqual(caught.exception.at, 4)


class Quotes(unittest.TestCase):
    def test_texts_and_names(self):
        self.assertEqual(kinds("'a b' \"c d\""), [("text", "a b"), ("name", "c d")])

    def test_a_doubled_quote_is_one(self):
        self.assertEqual(kinds("'it''s'"), [("text", "it's")])

    def test_a_quote_at_both_ends(self):
        self.assertEqual(kinds("'''a'''"), [("text", "'a'")])

    def test_the_empty_text(self):
        self.assertEqual(kinds("''"), [("text", "")])

    def test_an_open_quote(self):
        with self.assertRaises(QueryError) as caught:
            tokens("ab 'cd")
        self.assertEqual(caught.exception.at, 3)


class Signs(unittest.TestCase):
    def test_the_longest_sign_wins(self):
        self.assertEqual(kinds("<=<"), [("sign", "<="), ("sign", "<")])

    def test_both_forms_of_unequal(self):
        self.assertEqual(kinds("<> !="), [("sign", "!="), ("sign", "!=")])

    def test_a_sign_behind_a_long_one(self):
        self.assertEqual([token.at for token in tokens("||-1")], [0, 2, 3, 4])

    def test_an_unknown_sign(self):
        with self.assertRaises(QueryError) as caught:
            tokens("a ; b")
        self.assertEqual(caught.exception.at, 2)


if __name__ == "__main__":
    unittest.main()
