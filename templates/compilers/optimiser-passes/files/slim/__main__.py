"""python3 -B -m slim FILE prints the optimised program, and on the error stream how many instructions there were and are."""
import sys

from slim import optimise
from slim.ir import parse, size

source = open(sys.argv[1], encoding="utf-8").read()
result = optimise(source)
print(result, end="")
print("%d -> %d" % (size(parse(source)), size(parse(result))), file=sys.stderr)
