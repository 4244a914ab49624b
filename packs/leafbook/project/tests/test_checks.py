import io
import os
import tempfile
import unittest

from leafbook import Store, check
from leafbook.cli import main
from leafbook.codec import pack
from leafbook.nodes import Inner, Leaf


class Checks(unittest.TestCase):
    def setUp(self):
        self.store = Store.create(io.BytesIO(), 128)
        for number in range(8):
            self.store.put(b"k%02d" % number, b"v" * 8)
        self.store.commit()

    def found(self):
        self.store.commit()
        return [tuple(finding) for finding in check(self.store)]

    def leaf(self, number, keys):
        self.store.pages.write(number, Leaf(keys, [(0, b"")] * len(keys)).encode())

    def test_nothing(self):
        self.assertEqual(len(self.found()), 0)

    def test_a_broken_page(self):
        self.store.pages.file.getbuffer()[300] ^= 1
        self.assertEqual([tuple(one) for one in check(self.store)], [(2, "checksum")])

    def test_a_page_that_is_cut_off(self):
        self.store.pages.file.truncate(400)
        self.assertEqual([tuple(one) for one in check(self.store)], [(3, "checksum")])

    def test_a_broken_head(self):
        self.store.pages.file.getbuffer()[40] ^= 1
        self.assertEqual([tuple(one) for one in check(self.store)], [(0, "checksum")])

    def test_the_order(self):
        self.leaf(1, [b"k00", b"k02", b"k01"])
        self.assertEqual(self.found(), [(1, "order")])

    def test_equal_keys(self):
        self.leaf(1, [b"k00", b"k00", b"k01"])
        self.assertEqual(self.found(), [(1, "order")])

    def test_a_key_that_is_too_large(self):
        self.leaf(1, [b"k00", b"k01", b"k03"])
        self.assertEqual(self.found(), [(1, "bounds")])

    def test_a_key_that_is_too_small(self):
        self.leaf(2, [b"k02", b"k04", b"k05", b"k06", b"k07"])
        self.assertEqual(self.found(), [(2, "bounds")])

    def test_the_number_of_keys(self):
        self.store.pages.head.keys = 9
        self.assertEqual(self.found(), [(0, "count")])

    def test_a_lost_page(self):
        self.store.pages.write(self.store.pages.allocate(), b"")
        self.assertEqual(self.found(), [(4, "lost")])

    def test_a_page_used_twice(self):
        self.store.pages.write(3, Inner([b"k03"], [1, 1]).encode())
        self.assertEqual(self.found(), [(0, "count"), (1, "twice"), (2, "lost")])

    def test_a_page_that_is_no_node(self):
        self.store.pages.write(2, b"\x09")
        self.assertEqual(self.found(), [(0, "count"), (2, "kind")])

    def test_leaves_of_different_depth(self):
        pages = self.store.pages
        below = pages.allocate()
        pages.write(below, pages.read(2))
        pages.write(2, Inner([], [below]).encode())
        self.assertEqual(self.found(), [(4, "depth")])

    def test_free_pages_are_used_by_the_list(self):
        pages = self.store.pages
        pages.release(pages.allocate())
        self.assertEqual(len(self.found()), 0)

    def test_a_free_page_that_is_a_leaf(self):
        self.store.pages.head.free = 1
        self.assertEqual(self.found(), [(1, "kind")])

    def test_a_free_page_that_is_used(self):
        pages = self.store.pages
        pages.write(2, pack((0, 1), (0, 4)))
        pages.head.free = 2
        self.assertEqual([kind for page, kind in self.found() if page], ["kind", "twice"])

    def test_a_long_value(self):
        self.store.put(b"k00", b"x" * 200)
        self.assertEqual(len(self.found()), 0)

    def test_a_long_value_of_another_length(self):
        self.store.put(b"k00", b"x" * 200)
        node = self.store.tree.node(1)
        node.cells[0] = (1, 201, node.cells[0][2])
        self.store.tree.keep(1, node)
        self.assertEqual(self.found(), [(1, "long")])

    def test_a_long_value_without_parts(self):
        node = self.store.tree.node(1)
        node.cells[0] = (1, 20, 2)
        self.store.tree.keep(1, node)
        self.assertEqual(self.found(), [(1, "long")])


class Command(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)
        self.path = os.path.join(self.place.name, "book")
        self.run_command("create", "128")

    def run_command(self, command, *words):
        out, errors = io.StringIO(), io.StringIO()
        code = main([command, self.path] + list(words), out, errors)
        return code, out.getvalue(), errors.getvalue()

    def usage(self, *arguments):
        errors = io.StringIO()
        code = main(list(arguments), io.StringIO(), errors)
        return code, errors.getvalue().split("\n")[0]

    def test_create(self):
        self.assertEqual(os.path.getsize(self.path), 256)

    def test_create_over_a_file(self):
        code, out, errors = self.run_command("create")
        self.assertEqual((code, out, errors[:19]), (2, "", "leafbook: [Errno 17"))

    def test_create_with_a_wrong_size(self):
        os.remove(self.path)
        self.assertEqual(self.run_command("create", "big")[2].split("\n")[0], "leafbook: a page size was expected")

    def test_create_with_the_usual_size(self):
        os.remove(self.path)
        self.assertEqual((self.run_command("create")[0], os.path.getsize(self.path)), (0, 2048))

    def test_put(self):
        self.assertEqual([self.run_command("put", "a", "1")[1], self.run_command("put", "a", "2")[1]], ["new\n", "changed\n"])

    def test_get(self):
        self.run_command("put", "a", "1")
        self.assertEqual([self.run_command("get", "a"), self.run_command("get", "b")], [(0, "1\n", ""), (1, "", "")])

    def test_delete(self):
        self.run_command("put", "a", "1")
        self.assertEqual([self.run_command("delete", "a")[0], self.run_command("delete", "a")[0]], [0, 1])
        self.assertEqual(self.run_command("get", "a")[0], 1)

    def test_scan(self):
        for key in "bca":
            self.run_command("put", key, key.upper())
        found = [self.run_command("scan", *bounds)[1] for bounds in ([], ["b"], ["a", "b"])]
        self.assertEqual(found, ["a\tA\nb\tB\nc\tC\n", "b\tB\nc\tC\n", "a\tA\n"])

    def test_check(self):
        self.assertEqual(self.run_command("check"), (0, "", ""))

    def test_check_of_a_broken_file(self):
        with open(self.path, "r+b") as file:
            file.seek(200)
            file.write(b"x")
        self.assertEqual(self.run_command("check"), (1, "page 1: checksum\n", ""))

    def test_stats(self):
        self.run_command("put", "a", "1")
        self.assertEqual(self.run_command("stats")[1], "keys 1\npages 2\nfree 0\ndepth 1\n")

    def test_a_key_that_is_too_long(self):
        self.assertEqual(self.run_command("put", "k" * 17, "")[2], "leafbook: a key has 1 to 16 bytes\n")

    def test_bad_arguments(self):
        found = [self.usage(*words) for words in (["get", self.path], ["put", self.path, "a"], ["check", self.path, "a"], ["stats"])]
        self.assertEqual(found, [(2, "leafbook: wrong number of arguments")] * 4)

    def test_commands(self):
        self.assertEqual([self.usage(), self.usage("drop")], [(2, "leafbook: a command was expected")] * 2)
