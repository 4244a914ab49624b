import sys

print("journal: nothing is here yet", file=sys.stderr)
sys.exit(2)
