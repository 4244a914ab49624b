"""Makes an image of a source, in two passes."""

from cogvm.errors import SourceError
from cogvm.expressions import Reader, evaluate, names, parse
from cogvm.image import Image
from cogvm.lexer import tokens
from cogvm.opcodes import BY_NAME, size_of
from cogvm.words import HIGHEST, LOWEST, to_bytes

#: What fits into an operand of so many bytes.
RANGES = {1: (0, 255), 2: (0, 65535), 4: (LOWEST, HIGHEST)}


def assemble(source):
    """The image of a source."""
    build = _Build()
    for number, text in enumerate(source.split("\n"), 1):
        build.line(Reader(tokens(text, number), number))
    return build.finish()


class _Build:
    """What is known of a program while its lines are read. Operands are worked out at the end."""

    def __init__(self):
        self.constants = {}
        self.labels = {}
        self.waiting = []
        self.code = []
        self.size = 0
        self.cells = []
        self.entry = None

    def line(self, reader):
        """Reads a line: labels, and one instruction or directive."""
        while self.is_label(reader):
            name = reader.take("name", "a label")
            reader.take(":", "a colon")
            self.check_new(name, reader.line)
            self.waiting.append(name)
            self.labels[name] = None
        if not reader.kind():
            return
        word = reader.take("name", "an instruction")
        if word.startswith("."):
            self.directive(word, reader)
        elif word in BY_NAME:
            self.instruction(word, reader)
        else:
            raise SourceError(reader.line, "%s is no instruction" % word)
        reader.end()

    def is_label(self, reader):
        return [token.kind for token in reader.found[reader.at : reader.at + 2]] == ["name", ":"]

    def check_new(self, name, line):
        if name in self.labels or name in self.constants:
            raise SourceError(line, "%s stands for two things" % name)

    def settle(self, place):
        """Gives the labels that wait a place."""
        for name in self.waiting:
            self.labels[name] = place
        self.waiting = []

    def instruction(self, name, reader):
        """Reads the operand of an instruction and keeps both for the end."""
        self.settle(self.size)
        tree = parse(reader) if BY_NAME[name].operand else None
        if name == "push" and self.is_small(tree, reader.line):
            name = "pushb"
        self.code.append((name, tree, reader.line))
        self.size += size_of(name)

    def is_small(self, tree, line):
        """Whether a value is known already, and fits into a byte."""
        if any(name not in self.constants for name in names(tree)):
            return False
        return 0 <= evaluate(tree, self.constants, line) <= 255

    def directive(self, word, reader):
        """Does what a directive says."""
        if word == ".const":
            name = reader.take("name", "a name")
            self.check_new(name, reader.line)
            self.constants[name] = evaluate(parse(reader), self.constants, reader.line)
        elif word == ".entry":
            self.entry = (reader.take("name", "a label"), reader.line)
        elif word == ".word":
            self.settle(len(self.cells))
            self.cells.append((parse(reader), reader.line))
            while reader.skip(","):
                self.cells.append((parse(reader), reader.line))
        elif word == ".text":
            self.settle(len(self.cells))
            letters = [ord(letter) for letter in reader.take("text", "a text")]
            self.cells += [(("number", letter), reader.line) for letter in letters + [0]]
        elif word == ".space":
            self.settle(len(self.cells))
            count = evaluate(parse(reader), self.constants, reader.line)
            self.cells += [(("number", 0), reader.line)] * fitting(count, 2, reader.line)
        else:
            raise SourceError(reader.line, "%s is no directive" % word)

    def finish(self):
        """Works out all operands. The image."""
        self.settle(self.size)
        known = dict(self.labels, **self.constants)
        code = bytearray()
        for name, tree, line in self.code:
            code.append(BY_NAME[name].code)
            if tree is not None:
                size = BY_NAME[name].operand
                code += to_bytes(fitting(evaluate(tree, known, line), size, line), size)
        cells = [fitting(evaluate(tree, known, line), 4, line) for tree, line in self.cells]
        return Image(bytes(code), cells, self.entry_place(known))

    def entry_place(self, known):
        """Where the program begins."""
        if self.entry is None:
            return 0
        name, line = self.entry
        if name not in self.labels:
            raise SourceError(line, "%s is no label" % name)
        return known[name]


def fitting(value, size, line):
    """The value, if it fits into an operand of so many bytes."""
    lowest, highest = RANGES[size]
    if value < lowest or value > highest:
        raise SourceError(line, "%d is not from %d to %d" % (value, lowest, highest))
    return value
