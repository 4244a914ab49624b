"""Runs programs."""

from cogvm.errors import Fault
from cogvm.opcodes import decode
from cogvm.words import divide, remainder, shift_left, shift_right, wrap

STACK_LIMIT = 256
CALL_LIMIT = 64
LAST_CHARACTER = 0x10FFFF

BINARY = {
    "add": lambda a, b: wrap(a + b),
    "sub": lambda a, b: wrap(a - b),
    "mul": lambda a, b: wrap(a * b),
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": shift_left,
    "shr": shift_right,
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
    "gt": lambda a, b: int(a > b),
    "ge": lambda a, b: int(a >= b),
}


class Machine:
    """A program that runs. `output` is what it has printed."""

    def __init__(self, image, numbers=(), spare=64):
        self.code = image.code
        self.at = image.entry
        self.cells = list(image.cells) + [0] * spare
        self.input = list(numbers)
        self.stack = []
        #: Of each call: where it goes on, and its locals. The program itself counts as a call.
        self.calls = [(None, [])]
        self.printed = []
        self.steps = 0
        self.is_running = True

    @property
    def output(self):
        return "".join(self.printed)

    def run(self, limit=100000):
        """Runs until the program halts."""
        while self.is_running:
            if self.steps >= limit:
                raise Fault("steps", self.at)
            self.step()
        return self.output

    def step(self):
        """Runs one instruction."""
        here = self.at
        if here >= len(self.code):
            raise Fault("end", here)
        found, operand, behind = decode(self.code, here)
        if found is None:
            raise Fault("bad-code", here)
        if len(self.stack) < found.takes:
            raise Fault("underflow", here)
        if len(self.stack) - found.takes + found.gives > STACK_LIMIT:
            raise Fault("overflow", here)
        self.steps += 1
        self.at = behind
        taken = self.stack[len(self.stack) - found.takes :]
        del self.stack[len(self.stack) - found.takes :]
        self.execute(found.name, operand, taken, here)

    def execute(self, name, operand, taken, here):
        """Does what an instruction does with the numbers that it has taken."""
        if name in BINARY:
            self.stack.append(BINARY[name](*taken))
        elif name in ("div", "mod"):
            self.stack.append(self.division(name, taken, here))
        elif name in ("push", "pushb"):
            self.stack.append(operand)
        elif name in ("dup", "swap", "over", "rot"):
            self.stack += shuffled(name, taken)
        elif name == "neg":
            self.stack.append(wrap(-taken[0]))
        elif name == "not":
            self.stack.append(~taken[0])
        elif name in ("jmp", "jz", "jnz"):
            if name == "jmp" or (taken[0] == 0) == (name == "jz"):
                self.at = operand
        elif name in ("call", "ret", "enter"):
            self.routine(name, operand, here)
        elif name in ("load", "store"):
            self.memory(taken, here)
        elif name in ("get", "set"):
            self.local(operand, taken, here)
        elif name in ("print", "emit"):
            self.show(name, taken[0], here)
        elif name == "read":
            self.stack.append(wrap(self.input.pop(0)) if self.input else -1)
        elif name == "halt":
            self.is_running = False

    def division(self, name, taken, here):
        """A quotient or a remainder."""
        if taken[1] == 0:
            raise Fault("divide", here)
        work = divide if name == "div" else remainder
        return work(taken[0], taken[1])

    def routine(self, name, operand, here):
        """Calls, returns, and locals of a call."""
        if name == "call":
            if len(self.calls) > CALL_LIMIT:
                raise Fault("overflow", here)
            self.calls.append((self.at, []))
            self.at = operand
        elif name == "enter":
            self.calls[-1][1].extend([0] * operand)
        else:
            if len(self.calls) == 1:
                raise Fault("no-call", here)
            self.at, _ = self.calls.pop()

    def memory(self, taken, here):
        """Loads a cell, or stores one: the place is the last number."""
        place = taken[-1]
        if not 0 <= place < len(self.cells):
            raise Fault("memory", here)
        if len(taken) == 1:
            self.stack.append(self.cells[place])
        else:
            self.cells[place] = taken[0]

    def local(self, operand, taken, here):
        """Gets or sets a local of the last call."""
        own = self.calls[-1][1]
        if operand >= len(own):
            raise Fault("local", here)
        if taken:
            own[operand] = taken[0]
        else:
            self.stack.append(own[operand])

    def show(self, name, value, here):
        """Prints a number or a character."""
        if name == "print":
            self.printed.append("%d\n" % value)
            return
        if not 0 <= value <= LAST_CHARACTER or 0xD800 <= value <= 0xDFFF:
            raise Fault("emit", here)
        self.printed.append(chr(value))


def shuffled(name, taken):
    """What numbers become if they only change places, or are doubled."""
    if name == "dup":
        return taken * 2
    if name == "swap":
        return [taken[1], taken[0]]
    if name == "over":
        return taken + [taken[0]]
    return taken[1:] + taken[:1]


def run(image, numbers=(), limit=100000):
    """Runs a program to its end. What it has printed."""
    return Machine(image, numbers).run(limit)
