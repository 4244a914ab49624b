"""All passes, again and again until nothing changes."""
from slim import branches, cse, dead, fold
from slim.ir import parse, text

PASSES = (fold.fold, cse.share, dead.clean, branches.tidy)


def optimise(source):
    program = parse(source)
    while True:
        new = program
        for one in PASSES:
            new = one(new)
        if new == program:
            return text(program)
        program = new
