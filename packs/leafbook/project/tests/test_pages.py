import io
import unittest

from leafbook import StoreError
from leafbook.codec import Unpacker, checksum, is_sealed, pack, sealed
from leafbook.pages import Head, PageFile, decode_head, is_page_size
from leafbook.parts import chain, read_long, release_long, write_long


def failure(work, *arguments):
    try:
        return work(*arguments)
    except StoreError as error:
        return str(error)


class Bytes(unittest.TestCase):
    def test_pack(self):
        self.assertEqual(list(pack((1, 1), (258, 2), (5, 4))), [1, 1, 2, 0, 0, 0, 5])

    def test_unpack(self):
        reader = Unpacker(bytes([9, 1, 2, 97, 98]), 1)
        self.assertEqual((reader.number(2), reader.take(2), reader.at), (258, b"ab", 5))

    def test_checksums(self):
        self.assertEqual([checksum(b""), checksum(b"\x05"), checksum(b"\x01\x02\x03")], [0, 5, 14])

    def test_sealed(self):
        self.assertEqual(list(sealed(b"\x07\x01", 8)), [7, 1, 0, 0, 0, 0, 0, 9])

    def test_is_sealed(self):
        page = sealed(b"\x07\x01", 8)
        found = [is_sealed(page), is_sealed(b"\x08" + page[1:]), is_sealed(page[:-1] + b"\x00")]
        self.assertEqual("".join("ny"[one] for one in found), "ynn")

    def test_page_sizes(self):
        found = [size for size in (0, 64, 128, 200, 1024, 1025, 32768, 65536) if is_page_size(size)]
        self.assertEqual(found, [128, 1024, 32768])


class Heads(unittest.TestCase):
    def test_encode(self):
        self.assertEqual(list(Head(256, 3, 2, 1, 7).encode())[8:], [1, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7])

    def test_decode(self):
        found = decode_head(Head(256, 3, 2, 1, 7).encode())
        self.assertEqual((found.page_size, found.count, found.free, found.root, found.keys), (256, 3, 2, 1, 7))

    def test_no_head(self):
        self.assertEqual(failure(decode_head, b"LEAFBOOT" + bytes(20)), "this is no leafbook")

    def test_a_wrong_page_size(self):
        self.assertEqual(failure(decode_head, Head(250, 3, 2, 1, 7).encode()), "the page size is wrong")


class Files(unittest.TestCase):
    def setUp(self):
        self.file = io.BytesIO()
        self.pages = PageFile.create(self.file, 128)

    def test_a_new_file(self):
        head = self.pages.head
        self.assertEqual((len(self.file.getvalue()), head.count, head.free, head.root, head.keys), (256, 2, 0, 1, 0))

    def test_a_wrong_page_size(self):
        found = failure(PageFile.create, io.BytesIO(), 100)
        self.assertEqual(found, "a page size is a power of two from 128 to 32768")

    def test_room(self):
        self.assertEqual((self.pages.page_size, self.pages.room), (128, 124))

    def test_write_and_read(self):
        self.pages.write(1, b"abc")
        self.assertEqual((self.pages.read(1)[:4], len(self.pages.read(1))), (b"abc\0", 124))

    def test_a_page_that_is_just_full(self):
        self.pages.write(1, b"x" * 124)
        self.assertEqual(self.pages.read(1)[-2:], b"xx")

    def test_too_much_for_a_page(self):
        self.assertEqual(failure(self.pages.write, 1, b"x" * 125), "page 1 is too small")

    def test_pages_that_are_not_there(self):
        self.assertEqual([failure(self.pages.read, number) for number in (0, 2)], ["there is no page 0", "there is no page 2"])

    def test_a_broken_page(self):
        self.file.getbuffer()[130] = 5
        self.assertEqual(failure(self.pages.read, 1), "page 1 is broken")

    def test_a_page_that_is_cut_off(self):
        self.file.truncate(250)
        self.assertEqual(failure(self.pages.read, 1), "page 1 is broken")

    def test_new_pages(self):
        self.assertEqual([self.pages.allocate(), self.pages.allocate(), self.pages.head.count], [2, 3, 4])

    def test_the_last_one_given_back_is_used_first(self):
        for number in (self.pages.allocate(), self.pages.allocate()):
            self.pages.release(number)
        self.assertEqual([self.pages.allocate() for _ in range(3)], [3, 2, 4])

    def test_the_free_list(self):
        for number in (self.pages.allocate(), self.pages.allocate(), self.pages.allocate()):
            self.pages.release(number)
        self.assertEqual(self.pages.free_pages(), [4, 3, 2])

    def test_a_free_list_in_a_circle(self):
        self.pages.release(self.pages.allocate())
        self.pages.write(2, pack((0, 1), (2, 4)))
        self.assertEqual(self.pages.free_pages(), [2])

    def test_a_free_page(self):
        for number in (self.pages.allocate(), self.pages.allocate()):
            self.pages.release(number)
        self.assertEqual(list(self.pages.read(3)[:6]), [0, 0, 0, 0, 2, 0])

    def test_a_page_that_is_not_free(self):
        self.assertEqual(failure(self.pages.next_free, 1), "page 1 is not free")

    def test_commit(self):
        self.pages.write(1, b"abc")
        self.pages.write(self.pages.allocate(), b"def")
        count = self.pages.commit()
        again = PageFile(self.file)
        self.assertEqual((count, again.head.count, again.read(1)[:3], again.read(2)[:3]), (2, 3, b"abc", b"def"))

    def test_nothing_is_left_to_commit(self):
        self.pages.write(1, b"abc")
        self.pages.commit()
        self.assertEqual(self.pages.commit(), 0)

    def test_before_the_commit(self):
        self.pages.write(1, b"abc")
        self.assertEqual(list(PageFile(self.file).read(1)[:3]), [1, 0, 0])

    def test_rollback(self):
        self.pages.write(1, b"abc")
        self.pages.allocate()
        self.pages.rollback()
        self.assertEqual((list(self.pages.read(1)[:3]), self.pages.head.count), ([1, 0, 0], 2))


class LongValues(unittest.TestCase):
    def setUp(self):
        self.pages = PageFile.create(io.BytesIO(), 128)

    def test_one_part(self):
        first = write_long(self.pages, b"x" * 117)
        self.assertEqual((first, len(chain(self.pages, first)), self.pages.head.count), (2, 1, 3))

    def test_two_parts(self):
        first = write_long(self.pages, b"x" * 117 + b"y")
        self.assertEqual([(page, len(piece)) for page, piece in chain(self.pages, first)], [(3, 117), (2, 1)])

    def test_read(self):
        first = write_long(self.pages, b"a" * 100 + b"b" * 200)
        found = read_long(self.pages, first)
        self.assertEqual((len(found), found[99:101], found[-1:]), (300, b"ab", b"b"))

    def test_release(self):
        release_long(self.pages, write_long(self.pages, b"x" * 300))
        self.assertEqual(self.pages.free_pages(), [2, 3, 4])

    def test_no_part(self):
        self.assertEqual(failure(chain, self.pages, 1), "page 1 is no part of a value")

    def test_a_circle(self):
        first = write_long(self.pages, b"x" * 50)
        self.pages.write(first, pack((3, 1), (first, 4), (0, 2)))
        self.assertEqual(failure(chain, self.pages, first), "page 2 comes twice in a value")
