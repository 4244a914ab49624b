import io
import unittest

from leafbook import Store, StoreError, check
from leafbook.nodes import Inner, Leaf, decode, middle
from leafbook.scan import end_of_prefix


class Nodes(unittest.TestCase):
    def leaf(self):
        return Leaf([b"a", b"cc"], [(0, b"xy"), (1, 500, 7)])

    def test_a_leaf_in_a_page(self):
        expected = [1, 0, 2, 0, 1, 0, 97, 0, 2, 120, 121, 0, 2, 1, 99, 99, 0, 0, 1, 244, 0, 0, 0, 7]
        self.assertEqual(list(self.leaf().encode()), expected)

    def test_a_leaf_from_a_page(self):
        found = decode(self.leaf().encode())
        self.assertEqual((found.keys, found.cells), ([b"a", b"cc"], [(0, b"xy"), (1, 500, 7)]))

    def test_an_inner_node_in_a_page(self):
        found = Inner([b"ab", b"c"], [5, 6, 7]).encode()
        self.assertEqual(list(found), [2, 0, 2, 0, 0, 0, 5, 0, 2, 97, 98, 0, 0, 0, 6, 0, 1, 99, 0, 0, 0, 7])

    def test_an_inner_node_from_a_page(self):
        found = decode(Inner([b"ab", b"c"], [5, 6, 7]).encode())
        self.assertEqual((found.keys, found.children), ([b"ab", b"c"], [5, 6, 7]))

    def test_no_node(self):
        with self.assertRaises(StoreError) as caught:
            decode(bytes([3, 0, 0, 0]))
        self.assertEqual(str(caught.exception), "this page is no node")

    def test_sizes(self):
        self.assertEqual([self.leaf().sizes(), Inner([b"ab"], [1, 2]).sizes()], [[8, 13], [8]])

    def test_places_in_a_leaf(self):
        found = [self.leaf().place(key)[0] for key in (b"a", b"b", b"cc", b"d")]
        self.assertEqual(found, [0, 1, 1, 2])

    def test_what_is_in_a_leaf(self):
        found = [self.leaf().place(key)[1] for key in (b"a", b"b", b"cc", b"d")]
        self.assertEqual("".join("ny"[one] for one in found), "ynyn")

    def test_places_in_an_inner_node(self):
        node = Inner([b"b", b"d"], [1, 2, 3])
        self.assertEqual([node.place(key) for key in (b"a", b"b", b"c", b"d", b"e")], [0, 1, 1, 2, 2])

    def test_a_leaf_is_split(self):
        left, key, right = self.leaf().split(1)
        self.assertEqual((left.keys, key, right.keys, right.cells), ([b"a"], b"cc", [b"cc"], [(1, 500, 7)]))

    def test_an_inner_node_is_split(self):
        left, key, right = Inner([b"a", b"b", b"c"], [1, 2, 3, 4]).split(1)
        self.assertEqual((left.keys, left.children, key), ([b"a"], [1, 2], b"b"))
        self.assertEqual((right.keys, right.children), ([b"c"], [3, 4]))

    def test_leaves_are_joined(self):
        found = Leaf([b"a"], [(0, b"1")]).joined(b"b", Leaf([b"b"], [(0, b"2")]))
        self.assertEqual((found.keys, found.cells), ([b"a", b"b"], [(0, b"1"), (0, b"2")]))

    def test_inner_nodes_are_joined(self):
        found = Inner([b"a"], [1, 2]).joined(b"b", Inner([b"c"], [3, 4]))
        self.assertEqual((found.keys, found.children), ([b"a", b"b", b"c"], [1, 2, 3, 4]))

    def test_the_middle(self):
        self.assertEqual([middle([1, 1, 1, 1]), middle([5, 1, 1]), middle([1, 1, 5]), middle([1, 1, 1])], [1, 1, 2, 1])


class Case(unittest.TestCase):
    def setUp(self):
        self.store = Store.create(io.BytesIO(), 128)

    def fill(self, *numbers, size=8):
        for number in numbers:
            self.store.put(b"k%02d" % number, b"v" * size)

    def leaves(self):
        """The numbers of the keys of all leaves, leaf by leaf."""
        found, nodes = [], [self.store.tree.node(self.store.pages.head.root)]
        for node in nodes:
            if isinstance(node, Inner):
                nodes += [self.store.tree.node(child) for child in node.children]
            else:
                found.append(" ".join(key[1:].decode() for key in node.keys))
        return found


class Putting(Case):
    def test_get(self):
        self.store.put(b"a", b"1")
        self.assertEqual([self.store.get(b"a"), self.store.get(b"b", b"none")], [b"1", b"none"])

    def test_an_empty_value(self):
        self.store.put(b"a", b"")
        self.assertEqual(self.store.get(b"a", b"none"), b"")

    def test_new_or_not(self):
        found = [self.store.put(b"a", b"1"), self.store.put(b"a", b"2")]
        self.assertEqual(("".join("ny"[one] for one in found), self.store.get(b"a"), len(self.store)), ("yn", b"2", 1))

    def test_keys_that_cannot_be_kept(self):
        found = []
        for key in (b"", b"x" * 17):
            with self.assertRaises(StoreError) as caught:
                self.store.put(key, b"")
            found.append(str(caught.exception))
        self.assertEqual(found, ["a key has 1 to 16 bytes"] * 2)

    def test_the_longest_key(self):
        self.store.put(b"x" * 16, b"1")
        self.assertEqual(self.store.get(b"x" * 16), b"1")

    def test_long_values_begin_behind_an_eighth_of_a_page(self):
        self.store.put(b"a", b"x" * 16)
        before = self.store.pages.head.count
        self.store.put(b"b", b"x" * 17)
        self.assertEqual((before, self.store.pages.head.count, len(self.store.get(b"b"))), (2, 3, 17))

    def test_a_long_value_is_given_back(self):
        self.store.put(b"a", b"x" * 200)
        self.store.put(b"a", b"y")
        self.assertEqual((self.store.stats()["free"], self.store.get(b"a")), (2, b"y"))

    def test_a_leaf_that_is_full(self):
        self.fill(*range(7))
        self.assertEqual(self.leaves(), ["00 01 02 03 04 05 06"])

    def test_a_leaf_that_is_split(self):
        self.fill(*range(8))
        self.assertEqual(self.leaves(), ["00 01 02", "03 04 05 06 07"])

    def test_a_new_root(self):
        self.fill(*range(8))
        root = self.store.tree.node(self.store.pages.head.root)
        self.assertEqual((self.store.pages.head.root, root.keys, root.children), (3, [b"k03"], [1, 2]))

    def test_splits_in_the_middle(self):
        self.fill(*range(0, 40, 5))
        self.fill(1, 2, 3, 4, 6)
        self.assertEqual(self.leaves(), ["00 01 02", "03 04 05 06 10", "15 20 25 30 35"])

    def test_depth(self):
        depths = []
        for number in range(60):
            self.fill(number)
            depths.append(self.store.tree.depth())
        self.assertEqual([depths.index(depth) for depth in (1, 2, 3)], [0, 7, 46])

    def test_all_keys_are_there(self):
        order = [number * 37 % 100 for number in range(100)]
        self.fill(*order)
        self.assertEqual([int(key[1:]) for key, _ in self.store.items()], list(range(100)))
        self.assertEqual(len(self.store.items()), 100)


class Deleting(Case):
    def test_delete(self):
        self.store.put(b"a", b"1")
        found = [self.store.delete(b"a"), self.store.delete(b"a")]
        self.assertEqual(("".join("ny"[one] for one in found), self.store.get(b"a", b"none"), len(self.store)), ("yn", b"none", 0))

    def test_a_long_value_is_given_back(self):
        self.store.put(b"a", b"x" * 200)
        self.store.delete(b"a")
        self.assertEqual(self.store.stats()["free"], 2)

    def test_leaves_are_joined(self):
        self.fill(*range(8))
        self.store.delete(b"k01")
        before = self.leaves()
        self.store.delete(b"k00")
        self.assertEqual([before, self.leaves()], [["00 02", "03 04 05 06 07"], ["02 03 04 05 06 07"]])

    def test_the_last_leaf_is_joined_with_its_left_one(self):
        self.fill(*range(8))
        for number in (7, 6, 5, 4):
            self.store.delete(b"k%02d" % number)
        self.assertEqual(self.leaves(), ["00 01 02 03"])

    def test_leaves_are_split_anew(self):
        self.fill(*range(10))
        self.store.delete(b"k01")
        self.store.delete(b"k00")
        self.assertEqual(self.leaves(), ["02 03 04", "05 06 07 08 09"])

    def test_the_key_between_leaves_that_are_split_anew(self):
        self.fill(*range(10))
        self.store.delete(b"k01")
        self.store.delete(b"k00")
        self.assertEqual(self.store.tree.node(self.store.pages.head.root).keys, [b"k05"])

    def test_the_root_gives_its_place_away(self):
        self.fill(*range(8))
        for number in range(8):
            self.store.delete(b"k%02d" % number)
        self.assertEqual((self.store.pages.head.root, self.store.tree.depth(), self.store.stats()["free"]), (1, 1, 2))

    def test_a_deep_tree(self):
        self.fill(*range(60))
        self.fill(*[])
        for number in range(0, 60, 2):
            self.store.delete(b"k%02d" % number)
        self.store.commit()
        self.assertEqual([int(key[1:]) for key, _ in self.store.items()][:3] + [len(check(self.store))], [1, 3, 5, 0])

    def test_nothing_is_lost(self):
        self.fill(*range(60))
        for number in range(60):
            self.store.delete(b"k%02d" % (number * 7 % 60))
        found = self.store.stats()
        self.assertEqual((found["keys"], found["depth"], found["pages"] - found["free"]), (0, 1, 2))

    def test_a_shorter_value_joins_leaves(self):
        self.fill(*range(8))
        for number in (0, 1, 2):
            self.store.put(b"k%02d" % number, b"")
        self.assertEqual(self.leaves(), ["00 01 02 03 04 05 06 07"])


class Scanning(Case):
    def setUp(self):
        super().setUp()
        self.fill(*range(0, 60, 2))

    def numbers(self, first=None, end=None, is_backward=False):
        bounds = [None if bound is None else b"k%02d" % bound for bound in (first, end)]
        return [int(key[1:]) for key, _ in self.store.items(*bounds, is_backward)]

    def test_from(self):
        self.assertEqual([self.numbers(54), self.numbers(53)], [[54, 56, 58], [54, 56, 58]])

    def test_to(self):
        self.assertEqual([self.numbers(None, 6), self.numbers(None, 7)], [[0, 2, 4], [0, 2, 4, 6]])

    def test_between(self):
        self.assertEqual([self.numbers(20, 26), len(self.numbers(20, 20)), len(self.numbers(21, 22))], [[20, 22, 24], 0, 0])

    def test_backward(self):
        found = self.numbers(None, None, True)
        self.assertEqual((found[:3], found[-1], len(found)), ([58, 56, 54], 0, 30))

    def test_between_backward(self):
        self.assertEqual([self.numbers(20, 26, True), self.numbers(55, None, True)], [[24, 22, 20], [58, 56]])

    def test_values(self):
        self.store.put(b"z", b"y" * 130)
        self.assertEqual([(key, len(value)) for key, value in self.store.items(b"k58")], [(b"k58", 8), (b"z", 130)])

    def test_prefixes(self):
        self.store.put(b"k1", b"")
        found = [key for key, _ in self.store.prefixed(b"k1")]
        self.assertEqual(found, [b"k1", b"k10", b"k12", b"k14", b"k16", b"k18"])

    def test_ends_of_prefixes(self):
        self.assertEqual([end_of_prefix(one) for one in (b"ab", b"a\xff\xff", b"\xff", b"")], [b"ac", b"b", None, None])

    def test_a_prefix_without_an_end(self):
        self.store.put(b"\xff\x01", b"")
        self.assertEqual([key for key, _ in self.store.prefixed(b"\xff")], [b"\xff\x01"])


class Changes(Case):
    def test_rollback(self):
        self.fill(1)
        self.store.commit()
        self.fill(*range(2, 20))
        self.store.rollback()
        self.assertEqual((self.leaves(), len(self.store)), (["01"], 1))

    def test_open(self):
        self.fill(*range(20))
        self.store.commit()
        again = Store.open(self.store.pages.file)
        self.assertEqual((len(again), again.stats()), (20, self.store.stats()))

    def test_stats(self):
        self.fill(*range(8))
        self.assertEqual(sorted(self.store.stats().items()), [("depth", 2), ("free", 0), ("keys", 8), ("pages", 4)])
