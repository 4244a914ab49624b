"""What the programs have in common: the hour, settings, messages."""
import os
import zlib

from plant.disk import Disk


class Machine:
    def __init__(self, root, hour):
        self.root, self.hour, self.disk = root, hour, Disk(root)

    def settings(self, name):
        """etc/NAME.conf. That it has changed is a message."""
        with open(os.path.join(self.root, "etc", name + ".conf"), encoding="utf-8") as file:
            text = file.read()
        mark = "%08x" % zlib.crc32(text.encode())
        path = os.path.join(self.root, "log", "read." + name)
        before = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                before = file.read()
        if mark != before:
            with open(path, "w", encoding="utf-8") as file:
                file.write(mark)
            self.say(name, "etc/%s.conf read, crc %s" % (name, mark))
        lines = [line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#")]
        return {key.strip(): value.strip() for key, value in lines}

    def say(self, name, text):
        """log/ is on another disk, which is never full."""
        with open(os.path.join(self.root, "log", "messages"), "a", encoding="utf-8") as file:
            file.write("%04d %s: %s\n" % (self.hour, name, text))


def fields(text):
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
