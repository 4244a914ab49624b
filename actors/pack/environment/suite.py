"""Runs the tests of the project, as suite.cfg says."""

import atexit
import configparser
import fnmatch
import os
import sys
import unittest

TOOLS = os.path.dirname(os.path.abspath(__file__))
LOCK = os.path.join(TOOLS, "suite.lock")


def lock():
    """Two runs at once would write over each other's files."""
    try:
        descriptor = os.open(LOCK, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        with open(LOCK) as file:
            sys.exit("suite: another run goes on, says %s: %s" % (LOCK, file.read().strip()))
    atexit.register(os.remove, LOCK)
    os.write(descriptor, b"process %d\n" % os.getpid())
    os.close(descriptor)


def settings():
    parser = configparser.ConfigParser()
    with open(os.path.join(TOOLS, "suite.cfg")) as file:
        parser.read_file(file)
    return parser["suite"]


def modules(start, pattern, only):
    """The names of the modules with tests: those whose names have one of the words, if there are any."""
    found = []
    for root in start:
        if not os.path.isdir(root):
            sys.exit("suite: there is no directory %s in %s" % (root, os.getcwd()))
        for directory, below, names in os.walk(root):
            below.sort()
            for name in sorted(fnmatch.filter(names, pattern)):
                path = os.path.relpath(os.path.join(directory, name))
                found.append(path[: -len(".py")].replace(os.sep, "."))
    return [name for name in found if not only or any(word in name for word in only)]


def main():
    lock()
    given = settings()
    sys.setrecursionlimit(given.getint("recursion"))
    print(given["title"], flush=True)
    names = modules(given["start"].split(), given["pattern"], given["only"].split())
    if not names:
        sys.exit("suite: no test is named %s" % given["pattern"])
    tests = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = unittest.TextTestRunner().run(tests)
    sys.exit(0 if result.wasSuccessful() else 1)


main()
