import unittest

from warden import Request, decide, explain, read_policy

GRANTS = "grant ann reader\ngrant bob editor\nrole editor extends reader\n"


def answer(rules, name="ann", action="read", resource="docs/x", user=None, doc=None, env=None):
    """The decision; lines are counted behind the grants."""
    request = Request(name, action, resource, user or {}, doc or {}, env or {})
    found = decide(read_policy(GRANTS + rules), request)
    return ("yes" if found.is_allowed else "no", max(found.line - 3, 0), found.musts)


def outcomes(rules, **more):
    request = Request(**dict({"name": "ann", "action": "read", "resource": "docs/x"}, **more))
    return [trace.outcome for trace in explain(read_policy(GRANTS + rules), request)]


class Decisions(unittest.TestCase):
    def test_no_rule(self):
        self.assertEqual(answer(""), ("no", 0, []))

    def test_allow(self):
        self.assertEqual(answer("allow read on docs/* to reader"), ("yes", 1, []))

    def test_deny_wins(self):
        self.assertEqual(answer("allow read on ** to reader\ndeny read on docs/x to any"), ("no", 2, []))

    def test_a_higher_level_wins(self):
        self.assertEqual(answer("deny any on ** to any level 1\nallow read on ** to reader level 2"), ("yes", 2, []))

    def test_a_lower_level_loses(self):
        self.assertEqual(answer("allow any on ** to any level 1\ndeny read on ** to reader"), ("yes", 1, []))

    def test_the_first_deciding_rule(self):
        self.assertEqual(answer("allow list on ** to any\nallow any on ** to any\nallow read on ** to any")[1], 2)

    def test_obligations(self):
        rules = "allow any on ** to any must log, tell\nallow read on ** to any must tell, mark\nallow any on ** to any level 0"
        self.assertEqual(answer(rules), ("yes", 1, ["log", "tell", "mark"]))

    def test_obligations_of_other_effects(self):
        rules = "allow any on ** to any must log\ndeny any on ** to any must tell"
        self.assertEqual(answer(rules), ("no", 2, ["tell"]))

    def test_obligations_of_other_levels(self):
        rules = "allow any on ** to any must log\nallow any on ** to any must tell level 1"
        self.assertEqual(answer(rules)[2], ["tell"])

    def test_roles_that_are_extended(self):
        self.assertEqual(answer("allow read on ** to reader", name="bob")[0], "yes")

    def test_roles_are_not_extended_downwards(self):
        self.assertEqual(answer("allow read on ** to editor", name="ann")[0], "no")

    def test_one_of_several_roles(self):
        self.assertEqual(answer("allow read on ** to owner, reader")[0], "yes")

    def test_own_resources(self):
        rules = "allow any on home/{user}/** to any"
        self.assertEqual([answer(rules, resource="home/%s/a" % name)[0] for name in ("ann", "bob")], ["yes", "no"])


class Conditions(unittest.TestCase):
    def test_when(self):
        rules = "allow any on ** to any when user.level >= 3"
        self.assertEqual([answer(rules, user={"level": level})[0] for level in (2, 3)], ["no", "yes"])

    def test_unless(self):
        rules = "allow any on ** to any unless doc.locked"
        self.assertEqual([answer(rules, doc={"locked": locked})[0] for locked in (True, False)], ["no", "yes"])

    def test_the_environment(self):
        rules = "allow any on ** to any when env.hour < 18"
        self.assertEqual([answer(rules, env={"hour": hour})[0] for hour in (17, 18)], ["yes", "no"])

    def test_a_failure_does_not_allow(self):
        self.assertEqual(answer("allow any on ** to any unless user.x")[0], "no")

    def test_a_failure_denies(self):
        self.assertEqual(answer("allow any on ** to any\ndeny any on ** to any when user.x"), ("no", 2, []))

    def test_what_is_no_truth_fails(self):
        rules = "allow any on ** to any when user.x"
        self.assertEqual([answer(rules, user={"x": value})[0] for value in (1, True)], ["no", "yes"])

    def test_the_name(self):
        rules = 'allow any on ** to any when user.name == "ann"'
        self.assertEqual([answer(rules, name=name, user={"name": "ann"})[0] for name in ("ann", "bob")], ["yes", "no"])

    def test_the_roles(self):
        rules = 'allow any on ** to any when user.roles == ["editor", "reader"]'
        self.assertEqual([answer(rules, name=name)[0] for name in ("ann", "bob")], ["no", "yes"])

    def test_the_path(self):
        rules = 'allow any on ** to any when doc.path == "docs/x"'
        self.assertEqual([answer(rules, resource=path)[0] for path in ("docs/x", "docs/y")], ["yes", "no"])


class Explanations(unittest.TestCase):
    def test_what_does_not_match(self):
        found = outcomes("allow edit on ** to any\nallow read on x to any\nallow read on ** to editor")
        self.assertEqual(found, ["action", "resource", "role"])

    def test_the_first_mismatch(self):
        self.assertEqual(outcomes("allow edit on x to editor\nallow read on x to editor"), ["action", "resource"])

    def test_conditions(self):
        rules = "allow any on ** to any when 1 == 2\nallow any on ** to any when user.x\ndeny any on ** to any when user.x"
        self.assertEqual(outcomes(rules), ["condition", "failure", "decides"])

    def test_a_condition_that_denies(self):
        self.assertEqual(outcomes("deny any on ** to any unless 1 == 1"), ["condition"])

    def test_levels(self):
        rules = "deny any on ** to any\nallow any on ** to any level 1"
        self.assertEqual(outcomes(rules), ["outranked", "decides"])

    def test_overruled(self):
        rules = "allow any on ** to any\ndeny any on ** to any\nallow read on ** to any"
        self.assertEqual(outcomes(rules), ["overruled", "decides", "overruled"])

    def test_a_deny_of_a_lower_level_overrules_nothing(self):
        rules = "deny any on ** to any\nallow any on ** to any level 1\nallow any on ** to any level 1"
        self.assertEqual(outcomes(rules), ["outranked", "decides", "decides"])

    def test_lines_and_effects(self):
        found = explain(read_policy("\nallow any on ** to any\n\ndeny any on x to any"), Request("a", "b", "c"))
        self.assertEqual([(trace.line, trace.effect) for trace in found], [(2, "allow"), (4, "deny")])
