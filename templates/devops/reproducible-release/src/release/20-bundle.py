"""NAME.bundle: all modules in one file."""
import hashlib
import os

top = os.path.join(os.environ["STAGE"], "tree", "src")
names = sorted(name for name in os.listdir(top) if name.endswith(".py"))
parts, sum = [], hashlib.sha256()
for name in names:
    path = os.path.join(top, name)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    sum.update(text.encode("utf-8"))
    parts.append("# src/%s\n%s" % (name, text))
build = sum.hexdigest()[:12]
with open(os.path.join(os.environ["OUT"], os.environ["NAME"] + ".bundle"), "w", encoding="utf-8") as file:
    file.write("# %s %s build %s\n" % (os.environ["NAME"], os.environ["VERSION"], build))
    file.write("".join(parts))
