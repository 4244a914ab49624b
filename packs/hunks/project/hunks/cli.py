"""The command."""

import hunks
from hunks.unified import PatchError

USAGE = "usage: hunks diff OLD NEW [-U N] | apply FILE PATCH [-R] [-F N] | merge MINE BASE THEIRS | stat PATCH"


class UsageError(Exception):
    pass


def main(arguments, out, errors):
    """Runs the command. The exit code is 0, 1 for a difference, or 2 for a mistake."""
    try:
        command, names, options = read_arguments(arguments)
        files = [_read(name) for name in names]
        return COMMANDS[command][0](names, files, options, out, errors)
    except UsageError as error:
        errors.write("hunks: %s\n%s\n" % (error, USAGE))
    except (OSError, UnicodeDecodeError, PatchError) as error:
        errors.write("hunks: %s\n" % error)
    return 2


def read_arguments(arguments):
    """The command, its files and its options."""
    if not arguments or arguments[0] not in COMMANDS:
        raise UsageError("a command was expected")
    command, rest = arguments[0], list(arguments[1:])
    _, count, allowed = COMMANDS[command]
    names, options = [], {}
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-") or argument == "-":
            names.append(argument)
        elif argument[:2] not in allowed:
            raise UsageError("%s has no option %s" % (command, argument))
        elif argument == "-R":
            options["-R"] = True
        else:
            options[argument[:2]] = _number(argument, rest)
    if len(names) != count:
        raise UsageError("%s takes %d files" % (command, count))
    return command, names, options


def _number(argument, rest):
    """The number of an option, in the same word or in the next one."""
    text = argument[2:] or (rest.pop(0) if rest else "")
    if not text.isdigit():
        raise UsageError("%s needs a number" % argument[:2])
    return int(text)


def _read(name):
    with open(name, encoding="utf-8", newline="") as file:
        return hunks.split_lines(file.read())


def run_diff(names, files, options, out, errors):
    found = hunks.diff(files[0], files[1], options.get("-U", 3))
    out.write("".join(hunks.format_patch(hunks.Patch(found, names[0], names[1]))))
    return 1 if found else 0


def run_apply(names, files, options, out, errors):
    patches = hunks.parse_patch(files[1])
    if options.get("-R"):
        patches = [hunks.reverse(patch) for patch in patches]
    lines, code = files[0], 0
    for patch in patches:
        applied = hunks.apply_patch(lines, patch.hunks, options.get("-F", 2))
        lines = applied.lines
        for hunk, offset, fuzz in applied.moves:
            if offset or fuzz:
                errors.write("hunk at line %d: offset %d, fuzz %d\n" % (hunk.old_start + 1, offset, fuzz))
        for hunk in applied.rejected:
            errors.write("hunk at line %d: rejected\n" % (hunk.old_start + 1))
            code = 1
    out.write("".join(lines))
    return code


def run_merge(names, files, options, out, errors):
    merged = hunks.merge(files[1], files[0], files[2])
    out.write("".join(merged.lines(names[0], names[2])))
    if merged.conflicts():
        errors.write("conflicts: %d\n" % merged.conflicts())
        return 1
    return 0


def run_stat(names, files, options, out, errors):
    total = [0, 0]
    for patch in hunks.parse_patch(files[0]):
        added, dropped = 0, 0
        for hunk in patch.hunks:
            more, less = hunk.counts()
            added, dropped = added + more, dropped + less
        out.write("%s | +%d -%d\n" % (patch.new_name or patch.old_name or "?", added, dropped))
        total = [total[0] + added, total[1] + dropped]
    out.write("total +%d -%d\n" % tuple(total))
    return 0


#: The function, the number of files, and the options of each command.
COMMANDS = {
    "diff": (run_diff, 2, ("-U",)),
    "apply": (run_apply, 2, ("-R", "-F")),
    "merge": (run_merge, 3, ()),
    "stat": (run_stat, 1, ()),
}
