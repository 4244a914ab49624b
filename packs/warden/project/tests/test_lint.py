import io
import os
import tempfile
import unittest

from warden import lint, read_policy
from warden.cli import main, value_of


def found(*lines):
    return [tuple(finding) for finding in lint(read_policy("\n".join(lines)))]


class Lint(unittest.TestCase):
    def test_nothing(self):
        self.assertEqual(len(found("role a", "role b extends a", "grant ann b", "allow any on ** to a")), 0)

    def test_unknown_roles(self):
        lines = ["role a extends x", "grant ann y", "allow any on ** to a, z"]
        self.assertEqual(found(*lines), [(1, "unknown-role", "x"), (2, "unknown-role", "y"), (3, "unknown-role", "z")])

    def test_any_is_known(self):
        self.assertEqual(len(found("allow any on ** to any")), 0)

    def test_unknown_groups(self):
        lines = ["group a @b ann", "role r", "grant @c r", "allow any on ** to r"]
        self.assertEqual(found(*lines), [(1, "unknown-group", "b"), (3, "unknown-group", "c")])

    def test_twice(self):
        lines = ["role a", "role a", "group g x", "group g y", "allow any on ** to a"]
        self.assertEqual(found(*lines), [(2, "twice", "a"), (4, "twice", "g")])

    def test_a_role_and_a_group_of_one_name(self):
        self.assertEqual(len(found("role a", "group a x", "allow any on ** to a")), 0)

    def test_cycles_of_roles(self):
        lines = ["role a extends b", "role b extends a", "role c extends a", "allow any on ** to a, c"]
        self.assertEqual(found(*lines), [(1, "cycle", "a"), (2, "cycle", "b")])

    def test_cycles_of_groups(self):
        lines = ["group a @b", "group b @a x", "group c @a"]
        self.assertEqual(found(*lines), [(1, "cycle", "a"), (2, "cycle", "b")])

    def test_a_user_is_no_group(self):
        self.assertEqual(len(found("group a a")), 0)

    def test_unused_roles(self):
        self.assertEqual(found("role a", "role b", "allow any on ** to a"), [(2, "unused-role", "b")])

    def test_used_through_others(self):
        lines = ["role a", "role b extends a", "role c extends b", "allow any on ** to b"]
        self.assertEqual(len(found(*lines)), 0)

    def test_unused_together(self):
        self.assertEqual([line for line, _, _ in found("role a", "role b extends a")], [1, 2])


class Shadows(unittest.TestCase):
    def shadowed(self, deny, allow):
        return [line for line, kind, _ in found("role r", deny, allow, "allow x on y to r level 99") if kind == "shadowed"]

    def test_all_is_denied(self):
        self.assertEqual(found("deny any on ** to any", "allow a on b/* to any"), [(2, "shadowed", "b/*")])

    def test_actions(self):
        found = [self.shadowed("deny %s on ** to any" % one, "allow a, b on c to any") for one in ("a, b, c", "a", "any")]
        self.assertEqual(found, [[3], [], [3]])

    def test_roles(self):
        found = [self.shadowed("deny any on ** to %s" % one, "allow a on c to r") for one in ("r", "any", "q")]
        self.assertEqual(found, [[3], [3], []])

    def test_all_roles_are_allowed(self):
        self.assertEqual([self.shadowed("deny any on ** to r", "allow a on c to any"), self.shadowed("deny a on c to r", "allow a on c to r")], [[], [3]])

    def test_patterns(self):
        found = [self.shadowed("deny any on %s to any" % one, "allow a on b/c to any") for one in ("b/*", "b", "c/**")]
        self.assertEqual(found, [[3], [], []])

    def test_levels(self):
        found = [self.shadowed("deny any on ** to any level %d" % level, "allow a on c to any level 5") for level in (4, 5, 6)]
        self.assertEqual(found, [[], [3], [3]])

    def test_conditions_of_a_deny(self):
        self.assertEqual(len(self.shadowed("deny any on ** to any when env.x", "allow a on c to any")), 0)

    def test_conditions_of_an_allow(self):
        self.assertEqual(self.shadowed("deny any on ** to any", "allow a on c to any when env.x"), [3])


POLICY = "allow read on docs/** to any when user.level >= 2 must log\ndeny any on docs/x to any\n"


class Command(unittest.TestCase):
    def run_command(self, command, *arguments, text=POLICY):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "policy")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            out, errors = io.StringIO(), io.StringIO()
            code = main([command, path] + list(arguments), out, errors)
        return code, out.getvalue(), errors.getvalue()

    def usage(self, *arguments):
        errors = io.StringIO()
        code = main(list(arguments), io.StringIO(), errors)
        return code, errors.getvalue().split("\n")[0]

    def test_allowed(self):
        self.assertEqual(self.run_command("ask", "ann", "read", "docs/a", "user.level=2"), (0, "allowed by line 1, must log\n", ""))

    def test_denied(self):
        self.assertEqual(self.run_command("ask", "ann", "read", "docs/x"), (1, "denied by line 2\n", ""))

    def test_denied_by_nothing(self):
        self.assertEqual(self.run_command("ask", "ann", "read", "other"), (1, "denied\n", ""))

    def test_why(self):
        found = self.run_command("why", "ann", "read", "docs/x", "user.level=5")
        self.assertEqual(found, (1, "1 allow overruled\n2 deny decides\n", ""))

    def test_why_allowed(self):
        self.assertEqual(self.run_command("why", "ann", "read", "docs/a", "user.level=5")[0], 0)

    def test_lint(self):
        self.assertEqual(self.run_command("lint", text="grant ann a\n"), (1, "line 1: unknown-role: a\n", ""))

    def test_lint_without_findings(self):
        self.assertEqual(self.run_command("lint"), (0, "", ""))

    def test_a_wrong_policy(self):
        self.assertEqual(self.run_command("lint", text="\nrole\n")[2], "warden: line 2: a name was expected, not the end of the line\n")

    def test_wrong_attributes(self):
        found = [self.run_command("ask", "a", "b", "c", word)[2].split("\n")[0] for word in ("x=1", "user.x", "me.x=1", "user.=1")]
        expected = ["warden: %s is no attribute" % word for word in ("x=1", "user.x", "me.x=1", "user.=1")]
        self.assertEqual((found, expected[1]), (expected, "warden: user.x is no attribute"))

    def test_a_missing_file(self):
        code, said = self.usage("lint", os.path.join(tempfile.gettempdir(), "warden-none"))
        self.assertEqual((code, said[:17]), (2, "warden: [Errno 2]"))

    def test_commands(self):
        self.assertEqual([self.usage(), self.usage("grant", "a")], [(2, "warden: a command was expected")] * 2)

    def test_numbers_of_arguments(self):
        found = [self.usage(*words) for words in (["lint"], ["lint", "a", "b"], ["ask", "a", "b", "c"], ["why", "a"])]
        self.assertEqual(found, [(2, "warden: wrong number of arguments")] * 4)

    def test_values(self):
        found = [value_of(text) for text in ("5", "-5", "true", "x", "a,2", "-", "1,")]
        self.assertEqual(found, [5, -5, True, "x", ["a", 2], "-", [1]])

    def test_false(self):
        self.assertEqual("%s" % value_of("false"), "False")
