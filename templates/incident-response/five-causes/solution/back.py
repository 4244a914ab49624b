"""What was rejected wrongly goes back to the inbox."""
import glob
import os

for path in sorted(glob.glob("var/rejected/*")):
    order = dict(line.split("=") for line in open(path).read().split())
    if int(order["qty"]) <= 500:
        os.rename(path, path.replace("rejected", "inbox"))
        print("back:", path, order["qty"])
