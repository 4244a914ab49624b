"""A small expression language. See GRAMMAR.md."""
from calc.errors import CalcError, EvalError, ParseError
from calc.evaluate import evaluate
from calc.lexer import tokenize
from calc.parser import Parser

__all__ = ["CalcError", "EvalError", "ParseError", "calculate"]


def calculate(text, variables=None):
    """The value of the expression."""
    return evaluate(Parser(tokenize(text)).parse(), variables or {})
