import unittest

from cogvm import Image, ImageError, assemble, disassemble, read_image, write_image
from cogvm.disassembler import data, starts, targets
from cogvm.image import checksum

SMALL = Image(bytes([2, 7, 0]), [-2, 258], 1)
WRITTEN = [67, 79, 71, 86, 1, 1, 0, 3, 0, 2, 0, 2, 7, 0, 254, 255, 255, 255, 2, 1, 0, 0]


def failure(data):
    try:
        return read_image(data)
    except ImageError as error:
        return str(error)


def sealed(numbers):
    """Bytes with their checksum."""
    data = bytes(numbers)
    total = checksum(data)
    return data + bytes([total % 256, total // 256])


class Images(unittest.TestCase):
    def test_written(self):
        self.assertEqual(list(write_image(SMALL))[:-2], WRITTEN)

    def test_read(self):
        self.assertEqual(tuple(read_image(sealed(WRITTEN))), (bytes([2, 7, 0]), [-2, 258], 1))

    def test_the_checksum(self):
        self.assertEqual([checksum(b""), checksum(b"\x02"), checksum(b"\x02\x03"), checksum(b"\xff" * 5)], [1, 33, 1026, 2526])

    def test_the_checksum_is_written(self):
        self.assertEqual(write_image(SMALL), sealed(WRITTEN))

    def test_no_image(self):
        self.assertEqual([failure(b""), failure(b"COGV\x02" + bytes(20))], ["this is no image"] * 2)

    def test_cut_off(self):
        whole = write_image(SMALL)
        self.assertEqual([failure(whole[:8]), failure(whole[:-1])], ["the image is cut off"] * 2)

    def test_too_long(self):
        self.assertEqual(failure(write_image(SMALL) + b"\0"), "something stands behind the image")

    def test_a_changed_byte(self):
        self.assertEqual(failure(sealed(WRITTEN)[:-1] + b"\xff"), "the checksum is wrong")

    def test_the_entry(self):
        outside = failure(sealed(WRITTEN[:5] + [4] + WRITTEN[6:]))
        self.assertEqual(outside, "the entry lies outside of the code")

    def test_the_entry_at_the_end(self):
        self.assertEqual(read_image(sealed(WRITTEN[:5] + [3] + WRITTEN[6:])).entry, 3)

    def test_the_empty_program(self):
        image = read_image(write_image(Image(b"", [], 0)))
        self.assertEqual((len(image.code), len(image.cells), image.entry), (0, 0, 0))


def lines(code, cells=(), entry=0):
    return disassemble(Image(bytes(code), list(cells), entry)).split("\n")[:-1]


class Sources(unittest.TestCase):
    def test_instructions(self):
        self.assertEqual(lines([2, 9, 0x10, 1, 255, 255, 255, 255]), ["    pushb 9", "    add", "    push -1"])

    def test_labels(self):
        self.assertEqual(lines([0x31, 3, 0, 0]), ["    jz at_3", "at_3:", "    halt"])

    def test_a_label_at_the_end(self):
        self.assertEqual(lines([0x30, 3, 0]), ["    jmp at_3", "at_3:"])

    def test_jumps_into_an_instruction(self):
        self.assertEqual(lines([0x30, 1, 0]), ["    jmp 1"])

    def test_the_entry(self):
        self.assertEqual(lines([0, 4], entry=1), [".entry at_1", "    halt", "at_1:", "    drop"])

    def test_no_instruction(self):
        self.assertEqual(lines([255, 0, 1, 2]), ["    ; bad code ff", "    halt", "    ; bad code 01"])

    def test_starts(self):
        self.assertEqual(starts(bytes([2, 2, 0x30, 0, 0, 0])), [0, 2, 5])

    def test_targets(self):
        found = targets(Image(bytes([0x33, 4, 0, 2, 4, 0x30, 3, 0]), [], 5))
        self.assertEqual(sorted(found), [3, 5])

    def test_again(self):
        text = 'jmp a\nb: push 70000\ncall b\na: jnz b\nret\n.word 1\n.text "hi\\n"\n.space 3\n.entry a'
        image = assemble(text)
        self.assertEqual(assemble(disassemble(image)), image)


class Data(unittest.TestCase):
    def test_words(self):
        self.assertEqual(data([5, -6]), ["    .word 5", "    .word -6"])

    def test_texts(self):
        self.assertEqual(data([104, 105, 0, 7]), ['    .text "hi"', "    .word 7"])

    def test_escapes(self):
        self.assertEqual(data([34, 92, 10, 0]), ['    .text "\\"\\\\\\n"'])

    def test_one_letter_is_no_text(self):
        self.assertEqual(data([104, 0]), ["    .word 104", "    .word 0"])

    def test_letters_without_a_zero(self):
        self.assertEqual(data([104, 105]), ["    .word 104", "    .word 105"])

    def test_letters_before_a_number(self):
        self.assertEqual(data([65, 66, 1, 0])[:2], ["    .word 65", "    .word 66"])

    def test_the_first_and_the_last_letter(self):
        self.assertEqual([data([32, 126, 0]), data([31, 65, 0])[0], data([127, 65, 0])[0]], [['    .text " ~"'], "    .word 31", "    .word 127"])

    def test_spaces(self):
        self.assertEqual(data([0, 0, 0, 1, 0]), ["    .space 3", "    .word 1", "    .word 0"])
