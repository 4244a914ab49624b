"""Judges a task of the kind `merge`. Version 1.

The part `merged` is about commits: both branches are below the new `main`, which is checked out. `resolved` is about the
files of the new commit: no mark of a conflict, every note, and the new name of what was renamed. The tests decide the others.
"""

import re

import check
import judged
import repository

MARK = re.compile(rb"^(<{7}|>{7}|\|{7})( |$)", re.MULTILINE)


def main():
    plan = repository.plan()
    given = repository.Given()
    ours, theirs = given.tip("main"), given.tip(plan["branch"])
    rules = ["merged", "resolved"]
    try:
        left = repository.Left()
        tip = left.tip("main")
        if tip == ours:
            raise repository.Wrong("expected a new commit on main, found none")
        sources = left.sources(tip, plan["source"])
    except (repository.Wrong, judged.Refused) as why:
        for part in [*rules, *plan["parts"]]:
            repository.say(part, why)
        return

    def merged():
        for name, old in (("main", ours), (plan["branch"], theirs)):
            if not left.is_below(old, tip):
                raise repository.Wrong("expected the tip of %s below the new main, found another history" % name)
        left.stands(tip)

    def resolved():
        for path in sorted(left.tree(tip)):
            if MARK.search(left.content(tip, path)):
                raise repository.Wrong("%s has the mark of a conflict" % ascii(path))
        notes = left.content(tip, plan["page"]) if plan["page"] in left.tree(tip) else b""
        for line in plan["notes"]:
            if line.encode() not in notes.splitlines():
                raise repository.Wrong("%s lacks the line %r" % (plan["page"], line))
        word = re.compile(rb"(?<![A-Za-z0-9_])%s(?![A-Za-z0-9_])" % re.escape(plan["old_name"].encode()))
        for path, content in sorted(sources.items()):
            if plan["old_name"] and word.search(content):
                raise repository.Wrong("%s still has the name %s" % (path, plan["old_name"]))

    repository.tried("merged", merged)
    repository.tried("resolved", resolved)
    try:
        results = check.judge(plan, sources)
    except judged.Refused as why:
        for part in plan["parts"]:
            repository.say(part, why)
        return
    check.tell(plan, results)


judged.main({"main": main})
