import io
import os
import tempfile
import unittest

from hunks.cli import main


class Command(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)

    def file(self, name, text):
        path = os.path.join(self.place.name, name)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return path

    def run_command(self, *arguments):
        out, errors = io.StringIO(), io.StringIO()
        code = main(list(arguments), out, errors)
        clean = [text.getvalue().replace(self.place.name + os.sep, "") for text in (out, errors)]
        return code, clean[0], clean[1]

    def test_diff(self):
        old, new = self.file("old", "a\nb\nc\n"), self.file("new", "a\nx\nc\n")
        found = self.run_command("diff", old, new)
        self.assertEqual(found, (1, "--- old\n+++ new\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n", ""))

    def test_diff_of_equal_files(self):
        old = self.file("old", "a\n")
        self.assertEqual(self.run_command("diff", old, old), (0, "", ""))

    def test_diff_with_context(self):
        old, new = self.file("old", "a\nb\nc\n"), self.file("new", "a\nx\nc\n")
        both = [self.run_command("diff", old, new, "-U", "0")[1], self.run_command("diff", "-U0", old, new)[1]]
        self.assertEqual(both, ["--- old\n+++ new\n@@ -2 +2 @@\n-b\n+x\n"] * 2)

    def test_apply(self):
        text, patch = self.file("text", "a\nb\nc\n"), self.file("patch", "@@ -2 +2 @@\n-b\n+x\n")
        self.assertEqual(self.run_command("apply", text, patch), (0, "a\nx\nc\n", ""))

    def test_apply_in_reverse(self):
        text, patch = self.file("text", "a\nx\nc\n"), self.file("patch", "@@ -2 +2 @@\n-b\n+x\n")
        self.assertEqual(self.run_command("apply", text, patch, "-R"), (0, "a\nb\nc\n", ""))

    def test_apply_elsewhere(self):
        text, patch = self.file("text", "1\n2\na\nb\n"), self.file("patch", "@@ -1,2 +1,2 @@\n a\n-b\n+x\n")
        self.assertEqual(self.run_command("apply", text, patch), (0, "1\n2\na\nx\n", "hunk at line 1: offset 2, fuzz 0\n"))

    def test_apply_with_fuzz(self):
        text, patch = self.file("text", "A\nb\n"), self.file("patch", "@@ -1,2 +1,2 @@\n a\n-b\n+x\n")
        with_fuzz, without = self.run_command("apply", text, patch), self.run_command("apply", text, patch, "-F0")
        self.assertEqual(with_fuzz, (0, "A\nx\n", "hunk at line 1: offset 0, fuzz 1\n"))
        self.assertEqual(without, (1, "A\nb\n", "hunk at line 1: rejected\n"))

    def test_merge(self):
        names = [self.file("mine", "x\nb\nc\n"), self.file("base", "a\nb\nc\n"), self.file("theirs", "a\nb\nz\n")]
        self.assertEqual(self.run_command("merge", *names), (0, "x\nb\nz\n", ""))

    def test_merge_with_a_conflict(self):
        names = [self.file("mine", "x\n"), self.file("base", "a\n"), self.file("theirs", "y\n")]
        self.assertEqual(self.run_command("merge", *names), (1, "<<<<<<< mine\nx\n=======\ny\n>>>>>>> theirs\n", "conflicts: 1\n"))

    def test_stat(self):
        patch = "--- a\n+++ b\n@@ -1,2 +1,3 @@\n-x\n+y\n+z\n w\n--- c\n+++ d\n@@ -1 +0,0 @@\n-x\n"
        self.assertEqual(self.run_command("stat", self.file("p", patch)), (0, "b | +2 -1\nd | +0 -1\ntotal +2 -2\n", ""))

    def test_stat_without_names(self):
        self.assertEqual(self.run_command("stat", self.file("p", "@@ -0,0 +1 @@\n+x\n"))[1], "? | +1 -0\ntotal +1 -0\n")

    def test_bad_arguments(self):
        given = [[], ["frob"], ["diff", "a"], ["diff", "a", "b", "-U"], ["diff", "a", "b", "-Ux"], ["merge", "a", "b", "c", "-R"]]
        found = [self.run_command(*arguments) for arguments in given]
        self.assertEqual([code for code, _, _ in found], [2] * 6)

    def test_what_is_wrong_with_arguments(self):
        given = [["frob"], ["diff", "a"], ["diff", "a", "b", "-U"], ["stat", "a", "-F1"]]
        found = [self.run_command(*arguments)[2].splitlines()[0] for arguments in given]
        self.assertEqual(found, ["hunks: a command was expected", "hunks: diff takes 2 files", "hunks: -U needs a number", "hunks: stat has no option -F1"])

    def test_a_file_that_is_not_there(self):
        code, out, errors = self.run_command("stat", os.path.join(self.place.name, "none"))
        self.assertEqual((code, out, errors.startswith("hunks: [Errno 2]")), (2, "", True))

    def test_a_wrong_patch(self):
        self.assertEqual(self.run_command("stat", self.file("p", "@@ x\n")), (2, "", "hunks: line 1: the header of a hunk is wrong\n"))


if __name__ == "__main__":
    unittest.main()
