"""Arithmetic with signed numbers of 32 bits."""

BITS = 32
MASK = (1 << BITS) - 1
LOWEST, HIGHEST = -(1 << (BITS - 1)), (1 << (BITS - 1)) - 1


def wrap(value):
    """Keeps the lowest 32 bits, as a signed number."""
    value &= MASK
    if value > HIGHEST:
        return value - (1 << BITS)
    return value


def divide(left, right):
    """The quotient, rounded towards zero."""
    quotient = abs(left) // abs(right)
    if (left < 0) != (right < 0):
        quotient = -quotient
    return wrap(quotient)


def remainder(left, right):
    """What is left of a division. It has the sign of `left`."""
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def shift_left(value, count):
    """Shifts to the left by the lowest five bits of `count`."""
    return wrap(value << (count & 31))


def shift_right(value, count):
    """Shifts to the right by the lowest five bits of `count`, and keeps the sign."""
    return value >> (count & 31)


def to_bytes(value, size):
    """A number as bytes, the lowest first. Negative ones are wrapped."""
    value &= (1 << (8 * size)) - 1
    return bytes((value >> (8 * at)) & 255 for at in range(size))


def from_bytes(data):
    """A number without a sign from bytes, the lowest first."""
    value = 0
    for byte in reversed(data):
        value = value * 256 + byte
    return value
