"""The disk of the machine: everything below var/, with a fixed size."""
import os

SIZE = 150000


class Full(Exception):
    """No space left on the disk."""


class Disk:
    def __init__(self, root):
        self.root = root
        self.used = sum(os.path.getsize(os.path.join(top, name)) for top, _, names in os.walk(os.path.join(root, "var")) for name in names)

    def path(self, name):
        return os.path.join(self.root, "var", name)

    def names(self, folder):
        return sorted(os.listdir(self.path(folder))) if os.path.isdir(self.path(folder)) else []

    def exists(self, name):
        return os.path.exists(self.path(name))

    def read(self, name):
        if not self.exists(name):
            return ""
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def write(self, name, text):
        before = os.path.getsize(self.path(name)) if self.exists(name) else 0
        after = len(text.encode())
        if self.used - before + after > SIZE and after > before:
            raise Full(name)
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        self.used += after - before

    def append(self, name, text):
        self.write(name, self.read(name) + text)

    def remove(self, name):
        self.used -= os.path.getsize(self.path(name))
        os.remove(self.path(name))
