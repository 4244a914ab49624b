"""The command."""

from leaseq.errors import ScriptError
from leaseq.player import Player
from leaseq.script import read_script

USAGE = "usage: leaseq play SCRIPT | check SCRIPT"


def main(arguments, out, errors):
    """Runs the command. The exit code."""
    if len(arguments) != 2 or arguments[0] not in ("play", "check"):
        errors.write("leaseq: a command and a script were expected\n%s\n" % USAGE)
        return 2
    try:
        with open(arguments[1], encoding="utf-8") as file:
            steps = read_script(file.read())
    except (OSError, UnicodeDecodeError, ScriptError) as error:
        errors.write("leaseq: %s\n" % error)
        return 2
    if arguments[0] == "check":
        out.write("%d steps\n" % len(steps))
        return 0
    player = Player()
    for line in player.play(steps):
        out.write(line + "\n")
    return 1 if player.refused else 0
