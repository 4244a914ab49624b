"""Reads and writes delimited text."""

from tabq.errors import QueryError
from tabq.table import Table
from tabq.values import from_cell, to_text


def records(text, delimiter=","):
    """The records of a text as lists of cells. A cell in double quotes may hold the delimiter, line
    ends and doubled quotes. Empty lines are skipped. Yields `(cell, was_quoted)` pairs."""
    record, at, size = [], 0, len(text)
    while at < size:
        if not record and text[at] in "\r\n":
            at += 1
            continue
        cell, quoted, at = _cell(text, at, delimiter)
        record.append((cell, quoted))
        if at < size and text[at] == delimiter:
            at += 1
            if at == size or text[at] in "\r\n":
                record.append(("", False))
        if at >= size or text[at] in "\r\n":
            yield record
            record = []
    if record:
        yield record


def _cell(text, at, delimiter):
    """One cell, whether it was quoted, and the place behind it."""
    if text[at : at + 1] != '"':
        end = at
        while end < len(text) and text[end] != delimiter and text[end] not in "\r\n":
            end += 1
        return text[at:end], False, end
    parts, end = [], at + 1
    while True:
        close = text.find('"', end)
        if close < 0:
            raise QueryError("a quoted cell does not end", at)
        parts.append(text[end:close])
        end = close + 1
        if text[end : end + 1] != '"':
            break
        parts.append('"')
        end += 1
    if end < len(text) and text[end] != delimiter and text[end] not in "\r\n":
        raise QueryError("there is text behind a quoted cell", end)
    return "".join(parts), True, end


def read_table(text, delimiter=",", header=True):
    """A table from a text. Without a header, the columns are c1, c2 and so on. A quoted cell is
    always a text, also if it is empty."""
    rows = list(records(text, delimiter))
    if not rows:
        return Table([])
    if header:
        names = [cell.strip() for cell, _ in rows[0]]
        rows = rows[1:]
    else:
        width = max(len(row) for row in rows)
        names = ["c%d" % (place + 1) for place in range(width)]
    return Table(names, [[cell if quoted else from_cell(cell) for cell, quoted in row] for row in rows])


def write_table(table, delimiter=","):
    """A table as text with a header. A cell is quoted if it has a quote, the delimiter or a line end,
    if it is an empty text, or if it is a text that would be read as a number."""
    lines = [delimiter.join(_written(name, delimiter) for name in table.columns)]
    for row in table.rows:
        lines.append(delimiter.join(_written(value, delimiter) for value in row))
    return "\n".join(lines) + "\n"


def _written(value, delimiter):
    text = to_text(value)
    is_text = isinstance(value, str)
    needs = any(letter in text for letter in ('"', delimiter, "\n", "\r"))
    if needs or (is_text and (text == "" or from_cell(text) != text)):
        return '"%s"' % text.replace('"', '""')
    return text
