"""manifest.py SERVICE...: writes the MANIFEST of services, such as TEAM/SERVICE."""
import os
import sys
import zlib

for top in sys.argv[1:]:
    found = []
    for place, _, names in os.walk(top):
        for name in names:
            path = os.path.join(place, name)
            if os.path.relpath(path, top) != "MANIFEST":
                with open(path, "rb") as file:
                    found.append((os.path.relpath(path, top), "%08x" % zlib.crc32(file.read())))
    with open(os.path.join(top, "MANIFEST"), "w") as file:
        file.writelines("%s %s\n" % (crc, path) for path, crc in sorted(found))
