"""The command."""

from leafbook.checks import check
from leafbook.errors import StoreError
from leafbook.store import Store

USAGE = "usage: leafbook create|put|get|delete|scan|check|stats FILE ..."


class UsageError(Exception):
    pass


def main(arguments, out, errors):
    """Runs the command. The exit code."""
    try:
        if not arguments or arguments[0] not in COMMANDS:
            raise UsageError("a command was expected")
        command, mode, least, most = COMMANDS[arguments[0]]
        if not least <= len(arguments) - 2 <= most:
            raise UsageError("wrong number of arguments")
        with open(arguments[1], mode) as file:
            return command(file, arguments[2:], out)
    except UsageError as error:
        errors.write("leafbook: %s\n%s\n" % (error, USAGE))
    except (OSError, StoreError) as error:
        errors.write("leafbook: %s\n" % error)
    return 2


def run_create(file, words, out):
    if words and not words[0].isdigit():
        raise UsageError("a page size was expected")
    Store.create(file, *[int(word) for word in words]).commit()
    return 0


def run_put(file, words, out):
    store = Store.open(file)
    is_new = store.put(words[0].encode(), words[1].encode())
    store.commit()
    out.write("new\n" if is_new else "changed\n")
    return 0


def run_get(file, words, out):
    value = Store.open(file).get(words[0].encode())
    if value is None:
        return 1
    out.write(value.decode("utf-8", "replace") + "\n")
    return 0


def run_delete(file, words, out):
    store = Store.open(file)
    was_there = store.delete(words[0].encode())
    store.commit()
    return 0 if was_there else 1


def run_scan(file, words, out):
    for key, value in Store.open(file).items(*[word.encode() for word in words]):
        out.write("%s\t%s\n" % (key.decode("utf-8", "replace"), value.decode("utf-8", "replace")))
    return 0


def run_check(file, words, out):
    found = check(Store.open(file))
    for finding in found:
        out.write("page %d: %s\n" % finding)
    return 1 if found else 0


def run_stats(file, words, out):
    for name, number in Store.open(file).stats().items():
        out.write("%s %d\n" % (name, number))
    return 0


#: The function, how the file is opened, and the least and the most number of words behind it.
COMMANDS = {
    "create": (run_create, "x+b", 0, 1),
    "put": (run_put, "r+b", 2, 2),
    "get": (run_get, "rb", 1, 1),
    "delete": (run_delete, "r+b", 1, 1),
    "scan": (run_scan, "rb", 0, 2),
    "check": (run_check, "rb", 0, 0),
    "stats": (run_stats, "rb", 0, 0),
}
