"""python3 -m delta make OLD NEW | apply FILE PATCH | reverse PATCH"""
import sys

from delta.apply import apply
from delta.hunk import Malformed, parse, render
from delta.make import make
from delta.reverse import reverse
from delta.text import split


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main(words):
    if len(words) == 3 and words[0] == "make":
        hunks = make(split(read(words[1])), split(read(words[2])))
        sys.stdout.buffer.write(render(hunks))
        return 1 if hunks else 0
    try:
        if len(words) == 3 and words[0] == "apply":
            return apply(words[1], parse(read(words[2])))
        if len(words) == 2 and words[0] == "reverse":
            sys.stdout.buffer.write(render(reverse(parse(read(words[1])))))
            return 0
    except Malformed as why:
        print("no patch: %s" % why, file=sys.stderr)
        return 2
    print(__doc__, file=sys.stderr)
    return 3


sys.exit(main(sys.argv[1:]))
