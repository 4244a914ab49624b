"""Measures how much of Python sources is written several times. Version 1.

    python3 clones.py FILE|DIRECTORY...

A source is a row of tokens. All names are the same, and so are all numbers and all texts. Comments,
docstrings, imports and `pass` are left out. A row of 20 tokens from the start of a statement that stands
at another place as well is written several times. Two numbers come out: how many tokens are in such rows,
and how many tokens there are.
"""

import ast
import io
import keyword
import os
import sys
import tokenize

#: The fewest tokens in a row that count.
ROW = 20
IGNORED = ("COMMENT", "NL", "ENCODING", "ENDMARKER", "INDENT", "DEDENT")
#: Newer versions of Python take formatted texts apart. Here each is one text, as it was before.
OPENING, CLOSING = ("FSTRING_START", "TSTRING_START"), ("FSTRING_END", "TSTRING_END")


def statements(text):
    """The logical lines of a source, each a list of tokens without names and values."""
    found, line, depth = [], [], 0
    docstrings = docstring_lines(text)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind in OPENING:
            depth += 1
            line.extend(["text"] if depth == 1 else [])
        elif depth:
            depth -= kind in CLOSING
        elif kind == "NEWLINE" or token.string == ";":
            if line and line[0] not in ("import", "from", "pass"):
                found.append(line)
            line = []
        elif kind not in IGNORED and (kind != "STRING" or token.start[0] not in docstrings):
            line.append(sign(token))
    return found


def sign(token):
    """What a token is, whatever its name or its value is."""
    if token.type == tokenize.NAME:
        return token.string if keyword.iskeyword(token.string) else "name"
    return {tokenize.NUMBER: "0", tokenize.STRING: "text"}.get(token.type, token.string)


def docstring_lines(text):
    """The lines on which statements begin that are a text alone."""
    alone = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr))
    return {node.lineno for node in alone if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)}


def measure(texts):
    """The tokens of sources that are written several times, and all tokens."""
    rows, places, total = {}, [], 0
    for text in texts:
        tokens, starts = [], []
        for line in statements(text):
            starts.append(len(tokens))
            tokens.extend(line + ["\n"])
        total += len(tokens)
        places.append(tokens)
        for start in starts:
            row = tuple(tokens[start : start + ROW])
            if len(row) == ROW:
                rows.setdefault(row, []).append((len(places) - 1, start))
    several = set()
    for found in rows.values():
        for number, start in found:
            if any(other != number or abs(at - start) >= ROW for other, at in found):
                several.update((number, at) for at in range(start, start + ROW))
    return len(several), total


def sources(paths):
    """The texts of all Python files below paths, in the order of their names."""
    found = []
    for path in paths:
        if os.path.isfile(path):
            found.append(path)
        for directory, _, names in os.walk(path):
            found.extend(os.path.join(directory, name) for name in names if name.endswith(".py"))
    texts = []
    for path in sorted(set(found)):
        with open(path, encoding="utf-8-sig") as file:
            texts.append(file.read())
    return texts


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: clones.py FILE|DIRECTORY...")
    several, total = measure(sources(sys.argv[1:]))
    print("written several times: %d tokens" % several)
    print("all: %d tokens" % total)


if __name__ == "__main__":
    main()
