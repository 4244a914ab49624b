"""Judges a task of the kind `bisect`. Version 1.

`named` asks for the commit that brought the fault in. `main` has the parts `history-kept` and those of the tests, which
run over the sources that are committed on `main`.
"""

import check
import judged
import repository


def named():
    plan = repository.plan()
    bad = repository.Given().commits("main")[plan["bad"]]
    said = judged.submitted(plan["answer"]).strip()
    if said != bad:
        judged.fail(plan["answer"], expected="the full hash of the commit that brought the fault in", found=ascii(said[:60]))


def main():
    plan = repository.plan()
    given = repository.Given()
    old = given.tip("main")
    try:
        left = repository.Left()
        tip = left.tip("main")
        if tip == old:
            raise repository.Wrong("expected a new commit on main, found none")
        sources = left.sources(tip, plan["source"])
    except (repository.Wrong, judged.Refused) as why:
        for part in ["history-kept", *plan["parts"]]:
            repository.say(part, why)
        return

    def kept():
        if not left.is_below(old, tip):
            raise repository.Wrong("expected the given main below the new one, found another history")
        left.stands(tip)

    repository.tried("history-kept", kept)
    try:
        results = check.judge(plan, sources)
    except judged.Refused as why:
        for part in plan["parts"]:
            repository.say(part, why)
        return
    check.tell(plan, results)


judged.main({"named": named, "main": main})
