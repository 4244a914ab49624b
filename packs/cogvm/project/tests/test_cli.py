import io
import os
import tempfile
import unittest

from cogvm.cli import main


class Command(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)

    def path(self, name):
        return os.path.join(self.place.name, name)

    def run_command(self, *arguments):
        out, errors = io.StringIO(), io.StringIO()
        code = main(list(arguments), out, errors)
        return code, out.getvalue(), errors.getvalue()

    def image(self, *lines):
        with open(self.path("a.s"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        return self.run_command("asm", self.path("a.s"), self.path("a.img"))

    def test_asm(self):
        self.assertEqual(self.image("push 1", "halt", ".word 1, 2"), (0, "3 bytes, 2 cells\n", ""))

    def test_asm_of_a_wrong_source(self):
        self.assertEqual(self.image("halt", "push"), (2, "", "cogvm: line 2: a number or a name was expected\n"))

    def test_run(self):
        self.image("read", "read", "add", "print", "halt")
        self.assertEqual(self.run_command("run", self.path("a.img"), "4", "-9"), (0, "-5\n", ""))

    def test_run_with_a_fault(self):
        self.image("push 7", "print", "drop")
        self.assertEqual(self.run_command("run", self.path("a.img")), (1, "7\n", "cogvm: fault: underflow at 3\n"))

    def test_run_with_wrong_numbers(self):
        code, out, errors = self.run_command("run", self.path("a.img"), "x")
        self.assertEqual((code, out, errors.split("\n")[0]), (2, "", "cogvm: numbers were expected behind the image"))

    def test_dis(self):
        self.image("a: jmp a")
        self.assertEqual(self.run_command("dis", self.path("a.img")), (0, "at_0:\n    jmp at_0\n", ""))

    def test_check(self):
        self.image("drop", "halt")
        self.assertEqual(self.run_command("check", self.path("a.img")), (1, "0 underflow\n", ""))

    def test_check_of_a_sound_program(self):
        self.image("halt")
        self.assertEqual(self.run_command("check", self.path("a.img")), (0, "", ""))

    def test_no_image(self):
        self.image("halt")
        self.assertEqual(self.run_command("dis", self.path("a.s")), (2, "", "cogvm: this is no image\n"))

    def test_a_missing_file(self):
        code, out, errors = self.run_command("dis", self.path("none"))
        self.assertEqual((code, out, errors[:16]), (2, "", "cogvm: [Errno 2]"))

    def test_bad_arguments(self):
        given = [[], ["link"], ["asm", "a"], ["dis"], ["check", "a", "b"]]
        self.assertEqual([self.run_command(*arguments)[0] for arguments in given], [2, 2, 2, 2, 2])

    def test_what_is_wrong_with_arguments(self):
        found = [self.run_command(*arguments)[2].split("\n")[0] for arguments in (["link"], ["dis"])]
        self.assertEqual(found, ["cogvm: a command was expected", "cogvm: wrong number of arguments"])
