"""The bytes of each write of a traced file, beside what was written."""
import re
import sys

name = sys.argv[1]
data = open("samples/%s.rec" % name, "rb").read()
at, told, on = 0, [], False
for line in open("trace.log", encoding="utf-8"):
    text = line.split(": ", 1)[1].rstrip("\n")
    if text.startswith("open("):
        on = name + ".rec" in text
    elif not on:
        continue
    elif text.startswith("write(3"):
        size = int(re.search(r"= (\d+)$", text)[1])
        for one in told:
            print("      ", one[:150])
        print(at, data[at:at + size].hex(" ")[:230])
        at, told = at + size, []
    elif text.startswith(("put ", "drop ", "mark ", "session")):
        told.append(text)
