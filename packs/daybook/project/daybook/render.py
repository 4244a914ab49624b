"""Reports as text."""

from daybook.checks import shown


def amounts_text(total, places):
    """The amounts of a sum; `0` for none."""
    texts = [shown(amount, places) for amount in total.amounts()]
    return ", ".join(texts) if texts else "0"


def table(rows, right=()):
    """Rows of texts in columns, two blanks apart. The columns in `right` end at the same place."""
    if not rows:
        return ""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        parts = []
        for at, text in enumerate(row):
            parts.append(text.rjust(widths[at]) if at in right else text.ljust(widths[at]))
        lines.append("  ".join(parts).rstrip() + "\n")
    return "".join(lines)


def balance_text(rows, places):
    """The balances, with a line above the sum of all."""
    shown_rows = [(amounts_text(total, places), "  " * depth + name) for depth, name, total in rows]
    text = table(shown_rows, right=(0,))
    lines = text.split("\n")
    width = max(len(row[0]) for row in shown_rows)
    lines.insert(len(lines) - 2, "-" * width)
    return "\n".join(lines)


def register_text(rows, places):
    """Postings with the balance so far."""
    texts = []
    for day, payee, account, amount, so_far in rows:
        texts.append((day, payee, account, shown(amount, places), amounts_text(so_far, places)))
    return table(texts, right=(3, 4))


def months_text(rows, places):
    """Months with their sums and averages."""
    texts = [(month, amounts_text(own, places), amounts_text(mean, places)) for month, own, mean in rows]
    return table(texts, right=(1, 2))


def closing_text(postings, year, places):
    """A transaction that can be put into the book."""
    rows = [(account, shown(amount, places)) for account, amount in postings]
    head = "%04d-12-31 * Closing %d\n" % (year, year)
    return head + "".join("    %s\n" % line for line in table(rows, right=(1,)).split("\n")[:-1])
