class CalcError(Exception):
    """Anything wrong with an expression."""


class ParseError(CalcError):
    """The text is not an expression."""


class EvalError(CalcError):
    """The expression has no value."""
