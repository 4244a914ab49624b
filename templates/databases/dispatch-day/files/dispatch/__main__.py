import sys

print("dispatch: not written yet", file=sys.stderr)
sys.exit(2)
