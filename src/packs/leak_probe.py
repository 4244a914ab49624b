"""Lists what in a sandbox may give the answer of a task away, outside of the workspace. Version 1.

`probe.json` beside it has `modules`, names, and `sources`, lines by file. It prints one line of JSON: where
each of the modules can be imported from, and the files that have lines of a source. It decides nothing.
"""

import importlib.util
import json
import os

#: What is no file of the sandbox, or is the workspace.
SKIPPED = {"/proc", "/sys", "/dev", "/work", "/sealed", "/run"}
#: Texts that programs are written in, and that may quote them.
ENDS = (".py", ".pyi", ".pyx", ".in", ".tmpl", ".txt", ".md", ".rst", ".html", ".orig", ".bak")
#: The largest file that is looked at, and how many are.
LARGEST, MOST = 1 << 20, 100000


def module(name):
    """Where a module can be imported from; None if it cannot."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    return spec.origin or next(iter(spec.submodule_search_locations or []), name)


def files():
    for top, names, found in os.walk("/"):
        names[:] = sorted(name for name in names if os.path.join(top, name) not in SKIPPED)
        for name in sorted(found):
            if name.endswith(ENDS):
                yield os.path.join(top, name)


def lines(path):
    """The lines of a file without the blanks around them."""
    try:
        if os.path.islink(path) or not 0 < os.path.getsize(path) <= LARGEST:
            return set()
        with open(path, encoding="utf-8", errors="replace") as file:
            return {line.strip() for line in file}
    except OSError:
        return set()


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "probe.json"), encoding="utf-8") as file:
        given = json.load(file)
    modules = {name: place for name, place in ((name, module(name)) for name in given["modules"]) if place}
    sources = {path: set(known) for path, known in given["sources"].items()}
    wanted = set().union(*sources.values())
    alike = []
    for number, path in enumerate(files()):
        if number == MOST:
            break
        equal = wanted & lines(path) if wanted else set()
        for source, known in sources.items():
            if len(equal & known) * 10 >= len(known):
                alike.append({"path": path, "source": source, "equal": len(equal & known)})
    print(json.dumps({"modules": modules, "files": alike}))


main()
