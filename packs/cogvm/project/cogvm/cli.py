"""The command."""

from cogvm.assembler import assemble
from cogvm.checker import check
from cogvm.disassembler import disassemble
from cogvm.errors import CogError, Fault
from cogvm.image import read_image, write_image
from cogvm.machine import Machine

USAGE = "usage: cogvm asm SOURCE IMAGE | run IMAGE [NUMBER ...] | dis IMAGE | check IMAGE"


class UsageError(Exception):
    pass


def main(arguments, out, errors):
    """Runs the command. The exit code."""
    try:
        if not arguments or arguments[0] not in COMMANDS:
            raise UsageError("a command was expected")
        command, least, most = COMMANDS[arguments[0]]
        rest = arguments[1:]
        if not least <= len(rest) <= most:
            raise UsageError("wrong number of arguments")
        return command(rest, out, errors)
    except UsageError as error:
        errors.write("cogvm: %s\n%s\n" % (error, USAGE))
    except (OSError, UnicodeDecodeError, CogError) as error:
        errors.write("cogvm: %s\n" % error)
    return 2


def _image(name):
    with open(name, "rb") as file:
        return read_image(file.read())


def run_asm(rest, out, errors):
    with open(rest[0], encoding="utf-8") as file:
        image = assemble(file.read())
    with open(rest[1], "wb") as file:
        file.write(write_image(image))
    out.write("%d bytes, %d cells\n" % (len(image.code), len(image.cells)))
    return 0


def run_run(rest, out, errors):
    """Runs an image. What was printed before a fault is shown, too."""
    try:
        numbers = [int(word) for word in rest[1:]]
    except ValueError:
        raise UsageError("numbers were expected behind the image") from None
    machine = Machine(_image(rest[0]), numbers)
    try:
        machine.run()
    except Fault as fault:
        out.write(machine.output)
        errors.write("cogvm: fault: %s\n" % fault)
        return 1
    out.write(machine.output)
    return 0


def run_dis(rest, out, errors):
    out.write(disassemble(_image(rest[0])))
    return 0


def run_check(rest, out, errors):
    found = check(_image(rest[0]))
    for finding in found:
        out.write("%d %s\n" % (finding.at, finding.kind))
    return 1 if found else 0


#: The function, and the least and the most number of arguments.
COMMANDS = {
    "asm": (run_asm, 2, 2),
    "run": (run_run, 1, 99),
    "dis": (run_dis, 1, 1),
    "check": (run_check, 1, 1),
}
