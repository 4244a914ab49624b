"""Cuts a query into tokens."""

from collections import namedtuple

from tabq.errors import QueryError

#: `kind` is "word", "name", "number", "text", "sign" or "end"; `at` is the first character.
Token = namedtuple("Token", "kind value at")

WORDS = frozenset(
    "select distinct from where group by having order asc desc limit offset as and or not like in"
    " between is null true false".split()
)
SIGNS = ("||", "<=", ">=", "!=", "<>", "(", ")", ",", "+", "-", "*", "/", "%", "=", "<", ">")


def tokens(text):
    """All tokens of a query, and one of the kind "end". Comments run from `--` to the line's end."""
    found, at = [], 0
    while at < len(text):
        letter = text[at]
        if letter.isspace():
            at += 1
        elif text.startswith("--", at):
            at = _line_end(text, at)
        elif letter.isalpha() or letter == "_":
            at = _word(text, at, found)
        elif letter.isdigit() or (letter == "." and text[at + 1 : at + 2].isdigit()):
            at = _number(text, at, found)
        elif letter in "'\"":
            at = _quoted(text, at, found)
        else:
            at = _sign(text, at, found)
    found.append(Token("end", "", len(text)))
    return found


def _line_end(text, at):
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _word(text, at, found):
    end = at
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    word = text[at:end]
    if word.lower() in WORDS:
        found.append(Token("word", word.lower(), at))
    else:
        found.append(Token("name", word, at))
    return end


def _number(text, at, found):
    end, dots = at, 0
    while end < len(text) and (text[end].isdigit() or (text[end] == "." and dots == 0)):
        dots += text[end] == "."
        end += 1
    if end < len(text) and (text[end].isalpha() or text[end] == "_"):
        raise QueryError("a number ends in a letter", end)
    found.append(Token("number", text[at:end], at))
    return end


def _quoted(text, at, found):
    """A text in single quotes, or a name in double quotes. A doubled quote stands for one."""
    quote, parts, end = text[at], [], at + 1
    while True:
        close = text.find(quote, end)
        if close < 0:
            raise QueryError("a quote is not closed", at)
        parts.append(text[end:close])
        end = close + 1
        if text[end : end + 1] != quote:
            break
        parts.append(quote)
        end += 1
    kind = "text" if quote == "'" else "name"
    found.append(Token(kind, "".join(parts), at))
    return end


def _sign(text, at, found):
    for sign in SIGNS:
        if text.startswith(sign, at):
            value = "!=" if sign == "<>" else sign
            found.append(Token("sign", value, at))
            return at + len(sign)
    raise QueryError("%r has no meaning here" % text[at], at)
