"""The instructions: their codes, operands and what they take from the stack."""

from collections import namedtuple

from cogvm.words import from_bytes, wrap

#: `operand` is the number of bytes of the operand, `is_place` whether it is a place in the code.
Instruction = namedtuple("Instruction", "name code operand is_place takes gives")

TABLE = """
halt 00 0 0 0   push 01 4 0 1   pushb 02 1 0 1  dup 03 0 1 2    drop 04 0 1 0   swap 05 0 2 2   over 06 0 2 3
rot 07 0 3 3    add 10 0 2 1    sub 11 0 2 1    mul 12 0 2 1    div 13 0 2 1    mod 14 0 2 1    neg 15 0 1 1
and 16 0 2 1    or 17 0 2 1     xor 18 0 2 1    not 19 0 1 1    shl 1a 0 2 1    shr 1b 0 2 1    eq 20 0 2 1
ne 21 0 2 1     lt 22 0 2 1     le 23 0 2 1     gt 24 0 2 1     ge 25 0 2 1     jmp 30 2 0 0    jz 31 2 1 0
jnz 32 2 1 0    call 33 2 0 0   ret 34 0 0 0    enter 35 1 0 0  load 40 0 1 1   store 41 0 2 0  get 42 1 0 1
set 43 1 1 0    print 50 0 1 0  emit 51 0 1 0   read 52 0 0 1
"""

PLACES = {"jmp", "jz", "jnz", "call"}


def _table(text):
    words, found = text.split(), []
    for at in range(0, len(words), 5):
        name, code = words[at], int(words[at + 1], 16)
        operand, takes, gives = [int(word) for word in words[at + 2 : at + 5]]
        found.append(Instruction(name, code, operand, name in PLACES, takes, gives))
    return found


BY_NAME = {}
BY_CODE = {}
for _one in _table(TABLE):
    BY_NAME[_one.name] = _one
    BY_CODE[_one.code] = _one


def decode(code, at):
    """The instruction at a place: `(instruction, operand, place behind it)`. The operand is None if
    there is none, the instruction is None if the byte is no code or the operand is cut off."""
    found = BY_CODE.get(code[at])
    if found is None:
        return None, None, at + 1
    end = at + 1 + found.operand
    if end > len(code):
        return None, None, len(code)
    if not found.operand:
        return found, None, end
    value = from_bytes(code[at + 1 : end])
    return found, wrap(value), end


def size_of(name):
    """How many bytes an instruction takes."""
    return 1 + BY_NAME[name].operand
