import unittest

from cogvm import Image, assemble, check


def found(*lines):
    return [(finding.at, finding.kind) for finding in check(assemble("\n".join(lines)))]


class Checks(unittest.TestCase):
    def test_a_sound_program(self):
        self.assertEqual(len(found("push 3", "a: push 1", "sub", "dup", "jnz a", "drop", "halt")), 0)

    def test_underflow(self):
        self.assertEqual(found("push 1", "add", "halt"), [(2, "underflow")])

    def test_each_branch_is_followed(self):
        self.assertEqual(found("push 1", "jz a", "drop", "a: drop", "halt"), [(5, "underflow"), (6, "underflow")])

    def test_uneven_branches(self):
        self.assertEqual(found("push 1", "jz a", "push 2", "a: halt"), [(7, "uneven")])

    def test_a_loop_that_grows(self):
        self.assertEqual(found("a: push 1", "jmp a"), [(0, "uneven")])

    def test_the_end(self):
        self.assertEqual(found("push 1", "print"), [(2, "end")])

    def test_a_jump_out_of_the_code(self):
        self.assertEqual(found("halt", ".entry a", "a: jmp 50"), [(1, "end")])

    def test_an_empty_program(self):
        self.assertEqual(found(""), [(0, "end")])

    def test_what_is_no_code(self):
        self.assertEqual(tuple(check(Image(bytes([3 + 1, 255]), [], 1))[0]), (1, "bad-code"))

    def test_what_is_never_reached(self):
        self.assertEqual(len(found("halt", "add", "drop")), 0)

    def test_a_routine(self):
        self.assertEqual(len(found("call a", "halt", "a: push 1", "print", "ret")), 0)

    def test_a_routine_begins_with_nothing(self):
        self.assertEqual(found("push 1", "call a", "halt", "a: print", "ret"), [(6, "underflow")])

    def test_a_routine_that_leaves_something(self):
        self.assertEqual(found("call a", "halt", "a: push 1", "ret"), [(6, "uneven")])

    def test_a_return_of_the_program_itself(self):
        self.assertEqual(len(found("push 1", "ret")), 0)

    def test_a_routine_that_calls_itself(self):
        self.assertEqual(found("call a", "halt", "a: call a", "add", "ret"), [(7, "underflow")])

    def test_behind_a_call(self):
        self.assertEqual(found("call a", "drop", "a: ret"), [(3, "underflow")])

    def test_the_depth_goes_on(self):
        self.assertEqual(found("push 1", "push 2", "add", "add", "halt"), [(5, "underflow")])
