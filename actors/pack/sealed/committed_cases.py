"""Judges the sources of a commit by cases. Version 1.

It stands in the place of the check of tests: a project with cases is judged as in its other tasks, but the sources come
of a commit. Everything else of the project is the pack's own, whatever was committed.
"""

import check_cases
import judged


def judge(plan, sources):
    """What came of each case with these sources, which are bytes by path: None if it is right, else why not."""
    if sum(map(len, sources.values())) > check_cases.ALL:
        raise judged.Refused("the sources are larger than 12 MiB")
    return check_cases.judge(plan, plan["others"] + texts(sources))


def texts(sources):
    """The sources as `(path, text, executable)`. What is no text is left out, such as objects that a build left."""
    found = []
    for path, content in sorted(sources.items()):
        try:
            found.append([path, content.decode("utf-8"), content.startswith(b"#!")])
        except UnicodeDecodeError:
            continue
    return found


tell = check_cases.tell
