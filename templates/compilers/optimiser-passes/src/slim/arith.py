"""Operators on known numbers, as docs/IR.md says."""
BITS = {{ bits }}


def wrap(number):
    """The number of {{ bits }} bits, signed."""
    number &= (1 << BITS) - 1
    return number - (1 << BITS) if number >> (BITS - 1) else number


def compute(op, a, b):
    """The result, or None if it traps."""
    a, b = wrap(a), wrap(b)
    if op in ("div", "rem"):
        if b == 0:
            return None
        quotient = {{ "abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)" if division == "zero" else "a // b" }}
        return wrap(quotient if op == "div" else a - quotient * b)
    if op == "shl":
        return wrap(a << (b % BITS))
    if op == "shr":
        return {{ "a >> (b % BITS)" if shift == "signed" else "wrap((a & ((1 << BITS) - 1)) >> (b % BITS))" }}
    if op == "lt":
        return int(a < b)
    if op == "eq":
        return int(a == b)
    return wrap({"add": a + b, "sub": a - b, "mul": a * b, "and": a & b, "xor": a ^ b}[op])
