import unittest

from hunks import Hunk, Patch, PatchError, diff, format_patch, parse_patch, reverse, split_lines


def lines(letters):
    return [letter + "\n" for letter in letters]


def text(old, new, context=3):
    return "".join(format_patch(Patch(diff(lines(old), lines(new), context))))


def parsed(patch):
    return parse_patch(split_lines(patch))


def mistake(patch):
    try:
        parsed(patch)
    except PatchError as error:
        return error.line
    return "no mistake"


class Making(unittest.TestCase):
    def test_a_changed_line(self):
        self.assertEqual(text("abc", "axc"), "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n")

    def test_equal(self):
        self.assertEqual(text("abc", "abc"), "")

    def test_from_nothing(self):
        self.assertEqual(text("", "ab"), "@@ -0,0 +1,2 @@\n+a\n+b\n")

    def test_to_nothing(self):
        self.assertEqual(text("a", ""), "@@ -1 +0,0 @@\n-a\n")

    def test_context_is_cut(self):
        self.assertEqual(text("abcdefgh", "abcdXfgh", 2), "@@ -3,5 +3,5 @@\n c\n d\n-e\n+X\n f\n g\n")

    def test_no_context(self):
        self.assertEqual(text("abc", "axbc", 0), "@@ -1,0 +2 @@\n+x\n")

    def test_no_context_dropped(self):
        self.assertEqual(text("abc", "ac", 0), "@@ -2 +1,0 @@\n-b\n")

    def test_near_changes_are_in_one_hunk(self):
        self.assertEqual(text("abcdef", "XbcdeY", 2).count("@@ -"), 1)

    def test_far_changes_have_their_own(self):
        self.assertEqual(text("abcdefg", "XbcdefY", 2), "@@ -1,3 +1,3 @@\n-a\n+X\n b\n c\n@@ -5,3 +5,3 @@\n e\n f\n-g\n+Y\n")

    def test_later_hunks_count_what_was_added(self):
        self.assertEqual(text("abcdefgh", "XYabcdefgZ", 0), "@@ -0,0 +1,2 @@\n+X\n+Y\n@@ -8 +10 @@\n-h\n+Z\n")

    def test_a_line_without_an_end(self):
        made = "".join(format_patch(Patch(diff(["a\n", "b"], ["a\n", "b\n"]))))
        self.assertEqual(made, "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n")

    def test_names_and_notes(self):
        patch = Patch([Hunk(4, 4, [("add", "x\n")], "def f():")], "old.py", "new.py")
        self.assertEqual("".join(format_patch(patch)), "--- old.py\n+++ new.py\n@@ -4,0 +5 @@ def f():\n+x\n")


class Hunks(unittest.TestCase):
    HUNK = Hunk(2, 3, [("keep", "a"), ("drop", "b"), ("add", "c"), ("add", "d"), ("keep", "e"), ("keep", "f")])

    def test_old_and_new(self):
        self.assertEqual(("".join(self.HUNK.old()), "".join(self.HUNK.new())), ("abef", "acdef"))

    def test_counts(self):
        self.assertEqual(self.HUNK.counts(), (2, 1))

    def test_context(self):
        self.assertEqual(self.HUNK.context(), (1, 2))

    def test_context_of_context(self):
        self.assertEqual(Hunk(0, 0, [("keep", "a"), ("keep", "b")]).context(), (2, 0))

    def test_equality(self):
        other = Hunk(2, 3, self.HUNK.lines, "note")
        self.assertEqual([self.HUNK == Hunk(2, 3, self.HUNK.lines), self.HUNK == other, self.HUNK == 1], [True, False, False])


class Reading(unittest.TestCase):
    def test_there_and_back(self):
        patch = parsed(text("abcdefghij", "aXcdefghYYj", 1))[0]
        self.assertEqual(patch.hunks == diff(lines("abcdefghij"), lines("aXcdefghYYj"), 1), True)

    def test_names(self):
        patch = parsed("--- a/x y\t2024-01-01\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")[0]
        self.assertEqual((patch.old_name, patch.new_name), ("a/x y", "b/x"))

    def test_what_stands_before_is_skipped(self):
        patches = parsed("Hello,\n\ndiff x y\n@@ -3,0 +4 @@ here\n+b\n")
        self.assertEqual((len(patches), patches[0].hunks[0].old_start, patches[0].hunks[0].note), (1, 3, "here"))

    def test_several_files(self):
        one = "--- a\n+++ a\n@@ -1 +1 @@\n-x\n+y\n"
        self.assertEqual([p.new_name for p in parsed(one + "\n" + one.replace("+++ a", "+++ b"))], ["a", "b"])

    def test_places(self):
        hunks = parsed("@@ -5 +0,0 @@\n-a\n@@ -9,0 +9,2 @@\n+b\n+c\n")[0].hunks
        self.assertEqual([(h.old_start, h.new_start) for h in hunks], [(4, 0), (9, 8)])

    def test_an_empty_line_without_its_blank(self):
        hunk = parsed("@@ -1,2 +1,2 @@\n\n-a\n+b\n")[0].hunks[0]
        self.assertEqual(hunk.lines, [("keep", "\n"), ("drop", "a\n"), ("add", "b\n")])

    def test_no_newline(self):
        hunk = parsed("@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n")[0].hunks[0]
        self.assertEqual(hunk.lines, [("drop", "a"), ("add", "a\n")])

    def test_no_newline_at_the_very_end(self):
        hunk = parsed("@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n")[0].hunks[0]
        self.assertEqual(hunk.lines[1], ("add", "b"))

    def test_nothing(self):
        self.assertEqual(len(parsed("no patch\n")), 0)


class Mistakes(unittest.TestCase):
    def test_headers(self):
        self.assertEqual([mistake("@@ -1 +x @@\n"), mistake("--- a\nb\n"), mistake("--- a\n+++ b\nc\n")], [1, 2, 3])

    def test_too_early(self):
        self.assertEqual([mistake("@@ -1,2 +1 @@\n a\n"), mistake("@@ -1,2 +1 @@\n a\n@@ -2 +2 @@\n")], [3, 3])

    def test_too_many(self):
        self.assertEqual(mistake("@@ -1,2 +1 @@\n a\n+b\n-c\n"), 3)

    def test_messages(self):
        with self.assertRaises(PatchError) as caught:
            parsed("x\n--- a\nb\n")
        self.assertEqual(str(caught.exception), "line 3: a line with +++ was expected")


class Reversing(unittest.TestCase):
    def test_there_and_back(self):
        hunks = diff(lines("abcdef"), lines("aXcdYZf"), 1)
        back = diff(lines("aXcdYZf"), lines("abcdef"), 1)
        self.assertEqual(reverse(Patch(hunks)).hunks == back, True)

    def test_names_change_places(self):
        patch = reverse(Patch([], "old", "new"))
        self.assertEqual((patch.old_name, patch.new_name), ("new", "old"))

    def test_dropped_before_added(self):
        patch = Patch([Hunk(0, 0, [("drop", "a"), ("add", "b"), ("keep", "c"), ("drop", "d")])])
        self.assertEqual(reverse(patch).hunks[0].lines, [("drop", "b"), ("add", "a"), ("keep", "c"), ("add", "d")])

    def test_notes_stay(self):
        hunk = reverse(Patch([Hunk(3, 5, [("drop", "a")], "here")])).hunks[0]
        self.assertEqual((hunk.old_start, hunk.new_start, hunk.note), (5, 3, "here"))


if __name__ == "__main__":
    unittest.main()
