import unittest

from warden import PolicyError, read_policy
from warden.people import closure, extended, groups_of, is_in_cycle, roles_of


def rule(text):
    return read_policy(text).rules[0]


def failure(text):
    try:
        return read_policy(text)
    except PolicyError as error:
        return "%d: %s" % (error.line, error.message)


class Statements(unittest.TestCase):
    def test_groups(self):
        self.assertEqual(tuple(read_policy("\ngroup staff ann 7 @x").groups[0]), (2, "staff", ["ann", "7", "@x"]))

    def test_roles(self):
        found = [tuple(role) for role in read_policy("role a\nrole b extends a c").roles]
        self.assertEqual(found, [(1, "a", []), (2, "b", ["a", "c"])])

    def test_grants(self):
        found = [tuple(grant) for grant in read_policy("grant @staff a b\ngrant ann c").grants]
        self.assertEqual(found, [(1, "@staff", ["a", "b"]), (2, "ann", ["c"])])

    def test_a_short_rule(self):
        self.assertEqual(tuple(rule("allow read on docs/** to reader")), (1, "allow", ["read"], "docs/**", ["reader"], None, True, 0, []))

    def test_actions_and_roles(self):
        found = rule("deny read, list on * to a, b")
        self.assertEqual((found.effect, found.actions, found.roles), ("deny", ["read", "list"], ["a", "b"]))

    def test_when(self):
        found = rule("allow any on * to any when user.x")
        self.assertEqual((found.condition, found.wanted), (("attribute", "user", "x"), True))

    def test_unless(self):
        found = rule("allow any on * to any unless user.x level 3")
        self.assertEqual((found.condition[2], "%s" % found.wanted, found.level), ("x", "False", 3))

    def test_what_follows_in_any_order(self):
        found = rule("allow any on * to any must log, tell level 99 when env.x")
        self.assertEqual((found.musts, found.level, found.condition), (["log", "tell"], 99, ("attribute", "env", "x")))

    def test_comments(self):
        self.assertEqual([role.line for role in read_policy("# a\n\nrole x # y\n").roles], [3])


class Mistakes(unittest.TestCase):
    def test_unknown_statements(self):
        self.assertEqual([failure("permit a"), failure('\n"a"')], ["1: permit is no statement", "2: a statement was expected, not a"])

    def test_names(self):
        found = [failure(text) for text in ("role -a", "role a.b", "role", 'grant "x" a')]
        self.assertEqual([text[:24] for text in found], ["1: a name was expected, n"[:24]] * 4)

    def test_groups_need_members(self):
        self.assertEqual(failure("group a"), "1: a name was expected, not the end of the line")

    def test_groups_with_wrong_members(self):
        self.assertEqual(failure("group a @"), "1: a name was expected, not @")

    def test_too_much(self):
        self.assertEqual(failure("role a b"), "1: b was not expected")

    def test_parts_of_rules(self):
        found = [failure(text) for text in ("allow a * to b", "allow a on * b", "allow a on * to", "allow on * to b")]
        expected = ["1: on was expected, not *", "1: to was expected, not b", "1: a role was expected, not the end of the line"]
        self.assertEqual(found[:3], expected)
        self.assertEqual(found[3], "1: on was expected, not *")

    def test_a_part_twice(self):
        found = [failure("allow a on * to b " + text) for text in ("level 1 level 2", "must x must y", "when true unless false")]
        self.assertEqual(found, ["1: level was not expected", "1: must was not expected", "1: unless was not expected"])

    def test_levels(self):
        found = [failure("allow a on * to b level %s" % text) for text in ("100", "-1", "x", "")]
        self.assertEqual(found, ["1: a level is from 0 to 99"] * 4)

    def test_the_line(self):
        self.assertEqual(failure("role a\nrole b\nallow a on * to b when 1 +")[:2], "3:")


class People(unittest.TestCase):
    POLICY = """
group all @staff @guests
group staff ann bob
group guests @friends
group friends cleo
role reader
role writer extends reader
role boss extends writer auditor
grant @all reader
grant @staff writer
grant bob boss
"""

    def setUp(self):
        self.policy = read_policy(self.POLICY)

    def test_groups(self):
        self.assertEqual([groups_of(self.policy, name) for name in ("ann", "cleo")], [["all", "staff"], ["all", "friends", "guests"]])

    def test_nobody(self):
        self.assertEqual((len(groups_of(self.policy, "dan")), len(roles_of(self.policy, "dan"))), (0, 0))

    def test_a_group_is_no_user(self):
        self.assertEqual(len(groups_of(self.policy, "staff")), 0)

    def test_roles(self):
        self.assertEqual([roles_of(self.policy, name) for name in ("ann", "cleo")], [["reader", "writer"], ["reader"]])

    def test_roles_of_roles(self):
        self.assertEqual(roles_of(self.policy, "bob"), ["auditor", "boss", "reader", "writer"])

    def test_extended(self):
        self.assertEqual([extended(self.policy, name) for name in ("boss", "reader")], [["writer", "auditor"], []])

    def test_closure(self):
        ways = {"a": "bc", "b": "d", "c": "d", "d": "a"}
        self.assertEqual("".join(closure("a", lambda name: ways[name])), "abcd")

    def test_cycles(self):
        ways = {"a": "b", "b": "a", "c": "a", "d": "d", "e": ""}
        self.assertEqual([name for name in "abcde" if is_in_cycle(name, lambda name: ways[name])], ["a", "b", "d"])
