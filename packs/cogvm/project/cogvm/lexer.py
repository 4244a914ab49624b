"""Takes the lines of a source apart."""

from collections import namedtuple

from cogvm.errors import SourceError

#: `kind` is number, name, text, or a sign; `value` is a number or a text.
Token = namedtuple("Token", "kind value")

ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"', "0": "\0"}
SIGNS = ":,+-*/()"
BASES = {"0x": 16, "0b": 2}


def tokens(text, line):
    """The tokens of one line, without its comment."""
    found, at = [], 0
    while at < len(text):
        letter = text[at]
        if letter == ";":
            break
        if letter.isspace():
            at += 1
            continue
        if letter in SIGNS:
            token, at = Token(letter, letter), at + 1
        elif letter in "'\"":
            token, at = _quoted(text, at, line)
        elif _is_word(letter) or letter == ".":
            token, at = _word(text, at, line)
        else:
            raise SourceError(line, "%r was not expected" % letter)
        found.append(token)
    return found


def _is_word(letter):
    return letter == "_" or (letter.isascii() and letter.isalnum())


def _word(text, at, line):
    """A name, a directive or a number, and the place behind it."""
    end = at + 1
    while end < len(text) and _is_word(text[end]):
        end += 1
    word = text[at:end]
    if word[0].isdigit():
        return Token("number", number(word, line)), end
    return Token("name", word), end


def number(word, line):
    """The value of a number. `_` may stand between two digits."""
    base, digits = BASES.get(word[:2].lower(), 10), word
    if base != 10:
        digits = word[2:]
    try:
        if digits.startswith("_"):
            raise ValueError(word)
        return int(digits, base)
    except ValueError:
        raise SourceError(line, "%s is no number" % word) from None


def _quoted(text, at, line):
    """A text or a character, and the place behind it. A character is a number."""
    quote, letters, end = text[at], [], at + 1
    while end < len(text) and text[end] != quote:
        letter = text[end]
        if letter == "\\":
            end += 1
            letter = ESCAPES.get(text[end : end + 1])
            if letter is None:
                raise SourceError(line, "this escape is not known")
        letters.append(letter)
        end += 1
    if end >= len(text):
        raise SourceError(line, "a quote is not closed")
    if quote == '"':
        return Token("text", "".join(letters)), end + 1
    if len(letters) != 1:
        raise SourceError(line, "one character was expected between '")
    return Token("number", ord(letters[0])), end + 1
