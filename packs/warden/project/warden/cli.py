"""The command."""

from warden.decide import Request, decide, explain
from warden.errors import PolicyError
from warden.lint import lint
from warden.policy import read_policy

USAGE = "usage: warden ask|why POLICY USER ACTION RESOURCE [NAME=VALUE ...] | lint POLICY"


class UsageError(Exception):
    pass


def main(arguments, out, errors):
    """Runs the command. The exit code."""
    try:
        command, rest = check_arguments(arguments)
        with open(rest[0], encoding="utf-8") as file:
            policy = read_policy(file.read())
        return COMMANDS[command](policy, rest[1:], out)
    except UsageError as error:
        errors.write("warden: %s\n%s\n" % (error, USAGE))
    except (OSError, UnicodeDecodeError, PolicyError) as error:
        errors.write("warden: %s\n" % error)
    return 2


def check_arguments(arguments):
    """The command and its arguments."""
    if not arguments or arguments[0] not in COMMANDS:
        raise UsageError("a command was expected")
    count = len(arguments) - 1
    if count < 1 or (count != 1 if arguments[0] == "lint" else count < 4):
        raise UsageError("wrong number of arguments")
    return arguments[0], arguments[1:]


def value_of(text):
    """The value of an attribute on the command line: true, false, a number, a list with commas, or a text."""
    if text in ("true", "false"):
        return text == "true"
    if "," in text:
        return [value_of(part) for part in text.split(",") if part]
    digits = text[1:] if text.startswith("-") else text
    return int(text) if digits.isdigit() else text


def request_of(words):
    """The request that arguments describe."""
    attributes = {"user": {}, "doc": {}, "env": {}}
    for word in words[3:]:
        name, is_set, value = word.partition("=")
        source, _, key = name.partition(".")
        if not is_set or source not in attributes or not key:
            raise UsageError("%s is no attribute" % word)
        attributes[source][key] = value_of(value)
    return Request(*words[:3], **attributes)


def run_ask(policy, words, out):
    decision = decide(policy, request_of(words))
    text = "allowed" if decision.is_allowed else "denied"
    if decision.line:
        text += " by line %d" % decision.line
    if decision.musts:
        text += ", must " + ", ".join(decision.musts)
    out.write(text + "\n")
    return 0 if decision.is_allowed else 1


def run_why(policy, words, out):
    request = request_of(words)
    for trace in explain(policy, request):
        out.write("%d %s %s\n" % trace)
    return 0 if decide(policy, request).is_allowed else 1


def run_lint(policy, words, out):
    found = lint(policy)
    for finding in found:
        out.write("line %d: %s: %s\n" % finding)
    return 1 if found else 0


COMMANDS = {"ask": run_ask, "why": run_why, "lint": run_lint}
