import unittest

from cogvm.opcodes import BY_CODE, BY_NAME, decode, size_of
from cogvm.words import divide, from_bytes, remainder, shift_left, shift_right, to_bytes, wrap


class Words(unittest.TestCase):
    def test_wrap_at_the_top(self):
        self.assertEqual([wrap(2147483647), wrap(2147483648)], [2147483647, -2147483648])

    def test_wrap_at_the_bottom(self):
        self.assertEqual([wrap(-2147483648), wrap(-2147483649)], [-2147483648, 2147483647])

    def test_division_goes_towards_zero(self):
        self.assertEqual([divide(7, 2), divide(-7, 2), divide(7, -2), divide(-7, -2)], [3, -3, -3, 3])

    def test_division_wraps(self):
        self.assertEqual(divide(-2147483648, -1), -2147483648)

    def test_division_of_zero(self):
        self.assertEqual([divide(0, 5), divide(0, -5)], [0, 0])

    def test_remainder_has_the_sign_of_the_dividend(self):
        self.assertEqual([remainder(7, 3), remainder(-7, 3), remainder(7, -3), remainder(-7, -3)], [1, -1, 1, -1])

    def test_shift_left_wraps(self):
        self.assertEqual([shift_left(3, 2), shift_left(1, 31)], [12, -2147483648])

    def test_shift_counts_have_five_bits(self):
        self.assertEqual([shift_left(3, 33), shift_right(8, 34)], [6, 2])

    def test_shift_right_keeps_the_sign(self):
        self.assertEqual([shift_right(-8, 1), shift_right(9, 1)], [-4, 4])

    def test_bytes(self):
        self.assertEqual([list(to_bytes(0x0102, 2)), list(to_bytes(-2, 4))], [[2, 1], [254, 255, 255, 255]])

    def test_numbers_of_bytes(self):
        self.assertEqual([from_bytes(bytes([2, 1])), from_bytes(b"")], [258, 0])


class Decoding(unittest.TestCase):
    def test_no_operand(self):
        found, operand, behind = decode(bytes([3, 4]), 0)
        self.assertEqual((found.name, operand, behind), ("dup", None, 1))

    def test_a_byte(self):
        found, operand, behind = decode(bytes([0, 2, 200]), 1)
        self.assertEqual((found.name, operand, behind), ("pushb", 200, 3))

    def test_four_bytes_have_a_sign(self):
        found, operand, behind = decode(bytes([1, 255, 255, 255, 255, 0]), 0)
        self.assertEqual((found.name, operand, behind), ("push", -1, 5))

    def test_no_code(self):
        self.assertEqual(decode(bytes([255, 0]), 0), (None, None, 1))

    def test_cut_off(self):
        self.assertEqual(decode(bytes([0, 1, 2, 3]), 1), (None, None, 4))

    def test_an_operand_that_just_fits(self):
        self.assertEqual(decode(bytes([0x30, 5, 1]), 0)[1:], (261, 3))

    def test_sizes(self):
        self.assertEqual([size_of(name) for name in ("halt", "push", "pushb", "jmp", "enter")], [1, 5, 2, 3, 2])

    def test_places(self):
        found = sorted(name for name in BY_NAME if BY_NAME[name].is_place)
        self.assertEqual(found, ["call", "jmp", "jnz", "jz"])

    def test_the_table(self):
        self.assertEqual(tuple(BY_CODE[0x41]), ("store", 0x41, 0, False, 2, 0))
