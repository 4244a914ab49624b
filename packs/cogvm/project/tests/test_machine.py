import unittest

from cogvm import Fault, Machine, assemble, run


def shown(*lines, numbers=(), limit=200):
    """What a program prints; each number and line feed as a word."""
    return run(assemble("\n".join(lines)), numbers, limit)


def stack(*lines, numbers=()):
    machine = Machine(assemble("\n".join(lines + ("halt",))), numbers)
    machine.run(200)
    return machine.stack


def fault(*lines, limit=200):
    machine = Machine(assemble("\n".join(lines)))
    try:
        return machine.run(limit)
    except Fault as error:
        return (error.kind, error.at, machine.output)


class Stack(unittest.TestCase):
    def test_push(self):
        self.assertEqual(stack("push 7", "push -300"), [7, -300])

    def test_dup_and_drop(self):
        self.assertEqual(stack("push 1", "push 2", "dup", "push 9", "drop"), [1, 2, 2])

    def test_swap(self):
        self.assertEqual(stack("push 1", "push 2", "push 3", "swap"), [1, 3, 2])

    def test_over(self):
        self.assertEqual(stack("push 1", "push 2", "over"), [1, 2, 1])

    def test_rot(self):
        self.assertEqual(stack("push 1", "push 2", "push 3", "rot"), [2, 3, 1])

    def test_arithmetic(self):
        self.assertEqual(stack("push 9", "push 4", "sub", "push 3", "add", "push 2", "mul"), [16])

    def test_division(self):
        self.assertEqual(stack("push -7", "push 2", "div", "push -7", "push 2", "mod"), [-3, -1])

    def test_bits(self):
        self.assertEqual(stack("push 12", "push 10", "and", "push 12", "push 10", "or", "push 12", "push 10", "xor"), [8, 14, 6])

    def test_neg_and_not(self):
        self.assertEqual(stack("push 5", "neg", "push 5", "not"), [-5, -6])

    def test_neg_wraps(self):
        self.assertEqual(stack("push -2147483648", "neg"), [-2147483648])

    def test_shifts(self):
        self.assertEqual(stack("push 3", "push 4", "shl", "push -16", "push 2", "shr"), [48, -4])

    def test_sums_wrap(self):
        self.assertEqual(stack("push 2147483647", "push 1", "add", "push 65536", "push 65536", "mul"), [-2147483648, 0])

    def test_differences_wrap(self):
        self.assertEqual(stack("push -2147483648", "push 1", "sub"), [2147483647])

    def test_equal(self):
        self.assertEqual(stack("push 3", "push 3", "eq", "push 3", "push 4", "eq", "push 3", "push 4", "ne"), [1, 0, 1])

    def test_less(self):
        self.assertEqual(stack("push 3", "push 3", "lt", "push 3", "push 4", "lt", "push 3", "push 3", "le"), [0, 1, 1])

    def test_greater(self):
        self.assertEqual(stack("push 3", "push 3", "gt", "push 4", "push 3", "gt", "push 3", "push 3", "ge"), [0, 1, 1])


class Ways(unittest.TestCase):
    def test_jump(self):
        self.assertEqual(stack("push 1", "jmp a", "push 2", "a: push 3"), [1, 3])

    def test_jump_if_zero(self):
        self.assertEqual(stack("push 0", "jz a", "push 1", "a: push 5", "jz b", "push 2", "b: push 3"), [2, 3])

    def test_jump_if_not_zero(self):
        self.assertEqual(stack("push 0", "jnz a", "push 1", "a: push -5", "jnz b", "push 2", "b: push 3"), [1, 3])

    def test_a_loop(self):
        self.assertEqual(shown("push 3", "a: dup", "print", "push 1", "sub", "dup", "jnz a", "halt"), "3\n2\n1\n")

    def test_calls(self):
        self.assertEqual(shown("push 4", "call twice", "call twice", "print", "halt", "twice: dup", "add", "ret"), "16\n")

    def test_calls_in_calls(self):
        lines = ["call a", "push 3", "print", "halt", "a: call b", "push 2", "print", "ret", "b: push 1", "print", "ret"]
        self.assertEqual(shown(*lines), "1\n2\n3\n")

    def test_the_entry(self):
        self.assertEqual(shown(".entry go", "push 1", "print", "go: push 2", "print", "halt"), "2\n")


class Locals(unittest.TestCase):
    def test_they_begin_with_zero(self):
        self.assertEqual(stack("enter 2", "get 0", "get 1"), [0, 0])

    def test_set_and_get(self):
        self.assertEqual(stack("enter 2", "push 5", "set 1", "push 6", "set 0", "get 1"), [5])

    def test_more_of_them(self):
        self.assertEqual(stack("enter 1", "push 8", "set 0", "enter 1", "push 9", "set 1", "get 0", "get 1"), [8, 9])

    def test_each_call_has_its_own(self):
        lines = ["enter 1", "push 5", "set 0", "call a", "get 0", "jmp end", "a: enter 1", "push 7", "set 0", "ret", "end:"]
        self.assertEqual(stack(*lines), [5])

    def test_outside(self):
        self.assertEqual([fault("enter 1", "get 1"), fault("push 1", "set 0")], [("local", 2, ""), ("local", 2, "")])


class Memory(unittest.TestCase):
    def test_load(self):
        self.assertEqual(stack("x: .word 4, 5", "push x+1", "load"), [5])

    def test_store(self):
        self.assertEqual(stack("push 9", "push 2", "store", "push 2", "load", "push 1", "load"), [9, 0])

    def test_images_stay_as_they_are(self):
        image = assemble(".word 1\npush 2\npush 0\nstore\nhalt")
        run(image)
        self.assertEqual(image.cells, [1])

    def test_the_last_cell(self):
        self.assertEqual(fault(".word 1", "push 64", "load", "push 65", "load"), ("memory", 5, ""))

    def test_spare_cells(self):
        machine = Machine(assemble(".word 1"), spare=2)
        self.assertEqual(machine.cells, [1, 0, 0])

    def test_before_the_first_cell(self):
        self.assertEqual(fault("push 1", "push -1", "store"), ("memory", 7, ""))


class Output(unittest.TestCase):
    def test_print_and_emit(self):
        self.assertEqual(shown("push -5", "print", "push 'h'", "emit", "push 0x263a", "emit", "halt"), "-5\nh\u263a")

    def test_read(self):
        self.assertEqual(stack("read", "read", "read", numbers=[4, 4294967295]), [4, -1, -1])

    def test_read_in_order(self):
        self.assertEqual(stack("read", "read", "sub", numbers=[9, 2]), [7])

    def test_no_character(self):
        self.assertEqual([fault("push -1", "emit"), fault("push 0x110000", "emit")], [("emit", 5, ""), ("emit", 5, "")])

    def test_surrogates(self):
        self.assertEqual([fault("push 0xd800", "emit"), fault("push 0xdfff", "emit")], [("emit", 5, ""), ("emit", 5, "")])

    def test_the_neighbours_of_surrogates(self):
        found = shown("push 0xd7ff", "emit", "push 0xe000", "emit", "push 0x10ffff", "emit", "push 0", "emit", "halt")
        self.assertEqual([ord(letter) for letter in found], [0xD7FF, 0xE000, 0x10FFFF, 0])


class Faults(unittest.TestCase):
    def test_underflow(self):
        self.assertEqual([fault("push 1", "add"), fault("drop")], [("underflow", 2, ""), ("underflow", 0, "")])

    def test_what_was_printed_stays(self):
        self.assertEqual(fault("push 1", "print", "ret"), ("no-call", 3, "1\n"))

    def test_division_by_zero(self):
        self.assertEqual([fault("push 1", "push 0", "div"), fault("push 1", "push 0", "mod")], [("divide", 4, "")] * 2)

    def test_the_end_of_the_code(self):
        self.assertEqual([fault("push 1"), fault("jmp 99")], [("end", 2, ""), ("end", 99, "")])

    def test_no_code(self):
        machine = Machine(assemble("halt")._replace(code=bytes([2, 1, 255])))
        with self.assertRaises(Fault) as caught:
            machine.run()
        self.assertEqual((caught.exception.kind, caught.exception.at), ("bad-code", 2))

    def test_too_many_steps(self):
        self.assertEqual(fault("a: jmp a", limit=10), ("steps", 0, ""))

    def test_the_last_step(self):
        self.assertEqual([fault("push 1", "print", "halt", limit=3), fault("push 1", "print", "halt", limit=2)], ["1\n", ("steps", 3, "1\n")])

    def test_the_stack_is_full(self):
        machine = Machine(assemble("push 1\ndup\nhalt"))
        machine.stack = [0] * 254
        machine.step()
        machine.step()
        self.assertEqual((len(machine.stack), machine.at), (256, 3))

    def test_the_stack_is_too_full(self):
        self.assertEqual(fault("a: push 1", "jmp a", limit=1000), ("overflow", 0, ""))

    def test_full_but_not_more(self):
        machine = Machine(assemble("add\nhalt"))
        machine.stack = [1] * 256
        machine.run()
        self.assertEqual(machine.stack[-2:], [1, 2])

    def test_too_many_calls(self):
        self.assertEqual(fault("enter 0", "a: call a"), ("overflow", 2, ""))

    def test_how_many_calls(self):
        machine = Machine(assemble("a: call a"))
        with self.assertRaises(Fault):
            machine.run()
        self.assertEqual((machine.steps, len(machine.calls)), (65, 65))

    def test_the_words_of_a_fault(self):
        self.assertEqual(str(Fault("divide", 7)), "divide at 7")
