import unittest

from cogvm import SourceError, assemble


def code(*lines):
    return list(assemble("\n".join(lines)).code)


def cells(*lines):
    return assemble("\n".join(lines)).cells


def failure(*lines):
    try:
        return assemble("\n".join(lines))
    except SourceError as error:
        return "%d: %s" % (error.line, error.message)


class Code(unittest.TestCase):
    def test_instructions(self):
        self.assertEqual(code("add", "  halt ; end"), [0x10, 0])

    def test_small_numbers(self):
        self.assertEqual(code("push 0", "push 255"), [2, 0, 2, 255])

    def test_large_numbers(self):
        self.assertEqual(code("push 256", "push -1"), [1, 0, 1, 0, 0, 1, 255, 255, 255, 255])

    def test_a_label_is_never_small(self):
        self.assertEqual(code("a: push a"), [1, 0, 0, 0, 0])

    def test_a_constant_may_be_small(self):
        self.assertEqual(code(".const n 2*4", "push n+1"), [2, 9])

    def test_a_constant_of_a_later_line_is_not_small(self):
        self.assertEqual(code("push n", ".const n 3"), [1, 3, 0, 0, 0])

    def test_jumps_forward_and_back(self):
        self.assertEqual(code("a: jmp b", "jz a", "b: halt"), [0x30, 6, 0, 0x31, 0, 0, 0])

    def test_a_label_alone(self):
        self.assertEqual(code("jmp end", "first:", "end:", "jmp first"), [0x30, 3, 0, 0x30, 3, 0])

    def test_two_labels_of_one_line(self):
        self.assertEqual(code("nop_a: nop_b: drop", "jnz nop_b"), [4, 0x32, 0, 0])

    def test_a_label_at_the_end(self):
        self.assertEqual(code("call end", "end:"), [0x33, 3, 0])

    def test_places_in_expressions(self):
        self.assertEqual(code("jmp a+1", "a: halt"), [0x30, 4, 0, 0])


class Memory(unittest.TestCase):
    def test_words(self):
        self.assertEqual(cells(".word 1, -2, 3*3"), [1, -2, 9])

    def test_texts(self):
        self.assertEqual(cells('.text "Az"'), [65, 122, 0])

    def test_spaces(self):
        self.assertEqual(cells(".word 7", ".space 1+2", ".word 8"), [7, 0, 0, 0, 8])

    def test_labels_of_words(self):
        self.assertEqual(cells(".word 5", "x: .word x, y", "y: .word y"), [5, 1, 3, 3])

    def test_labels_of_texts_and_spaces(self):
        self.assertEqual(cells("halt", ".word s, t", "s: .space 2", 't: .text "a"'), [2, 4, 0, 0, 97, 0])

    def test_a_label_before_a_constant_waits(self):
        self.assertEqual(cells(".word a", "a: .const n 1", ".word 9"), [1, 9])

    def test_code_and_memory_are_apart(self):
        image = assemble("halt\nx: .word 4\nhalt\ny: push x")
        self.assertEqual((list(image.code), image.cells), ([0, 0, 1, 0, 0, 0, 0], [4]))


class Entries(unittest.TestCase):
    def test_without(self):
        self.assertEqual(assemble("halt").entry, 0)

    def test_a_later_label(self):
        self.assertEqual(assemble(".entry main\nret\nmain: halt").entry, 1)

    def test_a_constant_is_no_label(self):
        self.assertEqual(failure(".const x 1", ".entry x"), "2: x is no label")

    def test_an_unknown_one(self):
        self.assertEqual(failure("halt", ".entry go"), "2: go is no label")


class Mistakes(unittest.TestCase):
    def test_unknown_words(self):
        self.assertEqual([failure("", "jump 3"), failure(".data 3")], ["2: jump is no instruction", "1: .data is no directive"])

    def test_too_much(self):
        self.assertEqual([failure("add 3"), failure("push 1 2")], ["1: 3 was not expected", "1: 2 was not expected"])

    def test_an_operand_is_missing(self):
        self.assertEqual(failure("get"), "1: a number or a name was expected")

    def test_bytes_that_do_not_fit(self):
        self.assertEqual([failure("get 256"), failure("set -1")], ["1: 256 is not from 0 to 255", "1: -1 is not from 0 to 255"])

    def test_places_that_do_not_fit(self):
        self.assertEqual(failure("jmp 65536"), "1: 65536 is not from 0 to 65535")

    def test_places_that_just_fit(self):
        self.assertEqual(code("jmp 65535", "get 255"), [0x30, 255, 255, 0x42, 255])

    def test_numbers_that_do_not_fit(self):
        self.assertEqual(failure(".word 2147483648"), "1: 2147483648 is not from -2147483648 to 2147483647")

    def test_numbers_that_just_fit(self):
        self.assertEqual(cells(".word 2147483647, -2147483647-1"), [2147483647, -2147483648])

    def test_two_labels(self):
        self.assertEqual(failure("a: halt", "a: halt"), "2: a stands for two things")

    def test_a_label_and_a_constant(self):
        self.assertEqual([failure(".const a 1", "a: halt"), failure("a: halt", ".const a 1")], ["2: a stands for two things"] * 2)

    def test_a_constant_needs_earlier_names(self):
        self.assertEqual(failure(".const a b", ".const b 1"), "1: b is not known")

    def test_the_line_of_an_unknown_name(self):
        self.assertEqual(failure("halt", "halt", "jmp nowhere"), "3: nowhere is not known")

    def test_a_space_that_is_negative(self):
        self.assertEqual(failure(".space 0-1"), "1: -1 is not from 0 to 65535")
