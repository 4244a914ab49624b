"""Shows tables to people."""

from decimal import Decimal

from tabq.values import to_text


def grid(table, width=None):
    """A table with aligned columns: numbers to the right, the rest to the left. A cell that is wider
    than `width` is cut and ends in `~`."""
    cells = [list(table.columns)] + [[to_text(value) for value in row] for row in table.rows]
    cells = [[_cut(cell, width) for cell in row] for row in cells]
    widths = [max(len(row[place]) for row in cells) for place in range(len(table.columns))]
    right = [_is_numeric(table, place) for place in range(len(table.columns))]
    lines = [_line(cells[0], widths, right), _rule(widths)]
    lines += [_line(row, widths, right) for row in cells[1:]]
    return "\n".join(lines) + "\n"


def markdown(table):
    """A table in Markdown. A bar in a cell is escaped, and a line end becomes a blank."""
    right = [_is_numeric(table, place) for place in range(len(table.columns))]
    lines = [_bars(table.columns), _bars(["---:" if numeric else "---" for numeric in right])]
    lines += [_bars([_escaped(to_text(value)) for value in row]) for row in table.rows]
    return "\n".join(lines) + "\n"


def _bars(cells):
    return "| " + " | ".join(cells) + " |"


def _escaped(text):
    return text.replace("|", "\\|").replace("\r\n", " ").replace("\n", " ")


def _cut(text, width):
    text = text.replace("\n", " ")
    if width is None or len(text) <= width:
        return text
    return text[: width - 1] + "~"


def _line(cells, widths, right):
    padded = [
        cell.rjust(width) if numeric else cell.ljust(width)
        for cell, width, numeric in zip(cells, widths, right)
    ]
    return "  ".join(padded).rstrip()


def _rule(widths):
    return "  ".join("-" * width for width in widths)


def _is_numeric(table, place):
    """Whether a column has numbers and nothing else but nulls."""
    values = [row[place] for row in table.rows if row[place] is not None]
    return bool(values) and all(isinstance(value, Decimal) for value in values)
