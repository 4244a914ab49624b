"""The command: `tabq [options] QUERY`, a table on its input, the result on its output."""

from tabq.engine import run
from tabq.errors import QueryError
from tabq.parser import parse
from tabq.reader import read_table, write_table
from tabq.render import grid, markdown

USAGE = "usage: tabq [-d CHARACTER] [-n] [-f csv|grid|markdown] [-w WIDTH] QUERY"


class Options:
    """What the arguments say."""

    def __init__(self):
        self.delimiter = ","
        self.header = True
        self.form = "csv"
        self.width = None
        self.query = None


def options(arguments):
    """Reads the arguments. QueryError says what is wrong."""
    found, rest = Options(), list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "-n":
            found.header = False
        elif argument in ("-d", "-f", "-w"):
            if not rest:
                raise QueryError("%s needs a value" % argument)
            _option(found, argument, rest.pop(0))
        elif argument.startswith("-") and argument != "-":
            raise QueryError("there is no option %s" % argument)
        elif found.query is not None:
            raise QueryError("there is more than one query")
        else:
            found.query = argument
    if found.query is None:
        raise QueryError("there is no query")
    return found


def _option(found, name, value):
    if name == "-d":
        value = "\t" if value == "\\t" else value
        if len(value) != 1:
            raise QueryError("a delimiter is one character")
        found.delimiter = value
    elif name == "-f":
        if value not in ("csv", "grid", "markdown"):
            raise QueryError("there is no form %r" % value)
        found.form = value
    else:
        if not value.isdigit() or int(value) < 2:
            raise QueryError("a width is a number from 2 on")
        found.width = int(value)


def main(arguments, source, out, errors):
    """Runs the command. The exit code is 0, 2 for bad arguments, or 1 for anything else."""
    try:
        chosen = options(arguments)
    except QueryError as error:
        errors.write("tabq: %s\n%s\n" % (error.message, USAGE))
        return 2
    try:
        table = read_table(source.read(), chosen.delimiter, chosen.header)
    except QueryError as error:
        errors.write("tabq: input: %s\n" % error.message)
        return 1
    try:
        result = run(parse(chosen.query), table)
    except QueryError as error:
        errors.write("tabq: %s\n" % error.pointed(chosen.query))
        return 1
    if chosen.form == "grid":
        out.write(grid(result, chosen.width))
    elif chosen.form == "markdown":
        out.write(markdown(result))
    else:
        out.write(write_table(result, chosen.delimiter))
    return 0
