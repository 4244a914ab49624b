"""What must not go although nobody needs its result."""


def has_effect(ins):
    """Input, output and control; and what may trap."""
    if ins.op in ("div", "rem"):
        return not isinstance(ins.args[1], int) or ins.args[1] == 0
    return ins.op not in ("copy", "add", "sub", "mul", "and", "xor", "shl", "shr", "lt", "eq")
