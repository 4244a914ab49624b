"""Programs as lists of instructions. docs/IR.md describes the text."""
from collections import namedtuple

# out is the variable that is set, or None; args are texts (variables) and numbers; label is a name, or None.
Ins = namedtuple("Ins", "op out args label")
OPERATORS = ("add", "sub", "mul", "div", "rem", "and", "xor", "shl", "shr", "lt", "eq")
ENDS = ("jump", "jumpif", "halt")


def operand(word):
    return int(word) if word.lstrip("-").isdigit() else word


def parse(text):
    program = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) > 1 and words[1] == "=":
            program.append(Ins(words[2], words[0], tuple(operand(word) for word in words[3:]), None))
        elif words[0] == "in":
            program.append(Ins("in", words[1], (), None))
        elif words[0] == "out":
            program.append(Ins("out", None, (operand(words[1]),), None))
        elif words[0] == "jumpif":
            program.append(Ins("jumpif", None, (operand(words[1]),), words[2]))
        else:
            program.append(Ins(words[0], None, (), words[1] if len(words) > 1 else None))
    return program


def line(ins):
    if ins.op in OPERATORS or ins.op == "copy":
        return "%s = %s %s" % (ins.out, ins.op, " ".join(map(str, ins.args)))
    words = [ins.op, ins.out, *ins.args, ins.label]
    return " ".join(str(word) for word in words if word is not None)


def text(program):
    return "".join(line(ins) + "\n" for ins in program)


def blocks(program):
    """The program cut into blocks: a label begins one, a jump, a jumpif and a halt end one."""
    found, block = [], []
    for ins in program:
        if ins.op == "label" and block:
            found.append(block)
            block = []
        block.append(ins)
        if ins.op in ENDS:
            found.append(block)
            block = []
    return found + [block] if block else found


def joined(parts):
    return [ins for block in parts for ins in block]


def size(program):
    """What counts: instructions without labels."""
    return sum(ins.op != "label" for ins in program)
