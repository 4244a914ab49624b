"""The command."""

from daybook import load
from daybook.checks import check
from daybook.dates import parse_date
from daybook.errors import BookError
from daybook.render import balance_text, closing_text, months_text, register_text
from daybook.reports import balance, closing, months, register

USAGE = "usage: daybook check FILE | balance FILE [ACCOUNT] | register FILE ACCOUNT | months FILE ACCOUNT | close FILE YEAR"


class UsageError(Exception):
    pass


def main(arguments, out, errors):
    """Runs the command. The exit code."""
    try:
        command, words, days = read_arguments(arguments)
        with open(words[0], encoding="utf-8") as file:
            book = load(file.read())
        return COMMANDS[command][0](book, words[1:], days, out)
    except UsageError as error:
        errors.write("daybook: %s\n%s\n" % (error, USAGE))
    except (OSError, UnicodeDecodeError, BookError) as error:
        errors.write("daybook: %s\n" % error)
    return 2


def read_arguments(arguments):
    """The command, its words, and the first and the last day."""
    if not arguments or arguments[0] not in COMMANDS:
        raise UsageError("a command was expected")
    _, least, most, has_days = COMMANDS[arguments[0]]
    words, days, rest = [], {}, list(arguments[1:])
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            words.append(word)
        elif not has_days or word not in ("--from", "--to"):
            raise UsageError("%s has no option %s" % (arguments[0], word))
        else:
            days[word] = parse_date(rest.pop(0)) if rest else None
            if days[word] is None:
                raise UsageError("%s needs a date" % word)
    if not least <= len(words) <= most:
        raise UsageError("wrong number of arguments")
    return arguments[0], words, (days.get("--from"), days.get("--to"))


def run_check(book, words, days, out):
    found = check(book)
    for mistake in found:
        out.write("line %d: %s: %s\n" % mistake)
    return 1 if found else 0


def run_balance(book, words, days, out):
    out.write(balance_text(balance(book, "".join(words), *days), book.places))
    return 0


def run_register(book, words, days, out):
    out.write(register_text(register(book, words[0], *days), book.places))
    return 0


def run_months(book, words, days, out):
    out.write(months_text(months(book, words[0]), book.places))
    return 0


def run_close(book, words, days, out):
    if not words[0].isdigit():
        raise UsageError("a year was expected")
    year = int(words[0])
    out.write(closing_text(closing(book, year), year, book.places))
    return 0


#: The function, the least and the most number of words, and whether there are days.
COMMANDS = {
    "check": (run_check, 1, 1, False),
    "balance": (run_balance, 1, 2, True),
    "register": (run_register, 2, 2, True),
    "months": (run_months, 2, 2, False),
    "close": (run_close, 2, 2, False),
}
