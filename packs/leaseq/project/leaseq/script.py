"""Reads scripts: lines of steps with times."""

from collections import namedtuple

from leaseq.clock import parse_duration
from leaseq.errors import ScriptError
from leaseq.limits import Limit
from leaseq.pauses import parse_pause

#: `wait` is the time since the step before; `options` are keyword arguments.
Step = namedtuple("Step", "line wait verb words options")

#: The least and the most number of words of each step.
VERBS = {
    "put": (1, 1), "limit": (1, 1), "take": (1, 99), "extend": (2, 2), "done": (2, 2), "fail": (2, 2),
    "cancel": (1, 1), "revive": (1, 1), "stats": (0, 0),
}


def read_script(text):
    """The steps of a script."""
    steps = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].split()
        if words:
            steps.append(_step(words, number))
    return steps


def _step(words, line):
    """One step."""
    wait = 0
    if words[0].startswith("+"):
        wait = seconds(words[0][1:], line)
        words = words[1:]
    verb = words[0] if words else ""
    if verb not in VERBS:
        raise ScriptError(line, "%s is no step" % (verb or "nothing"))
    plain = [word for word in words[1:] if "=" not in word]
    least, most = VERBS[verb]
    if not least <= len(plain) <= most:
        raise ScriptError(line, "%s has a wrong number of words" % verb)
    options = {}
    for word in words[1:]:
        if "=" in word:
            name, _, value = word.partition("=")
            options.update(_option(verb, name, value, line))
    return Step(line, wait, verb, plain, options)


def seconds(text, line):
    """A time: a number of seconds, or a duration."""
    found = int(text) if text.isdigit() else parse_duration(text)
    if found is None:
        raise ScriptError(line, "%s is no time" % text)
    return found


def count(text, line):
    """A number from 1 on."""
    if not text.isdigit() or int(text) < 1:
        raise ScriptError(line, "%s is no number from 1 on" % text)
    return int(text)


def _option(verb, name, value, line):
    """What an option of a step means, as keyword arguments."""
    if verb == "limit" and name == "at-once":
        return {"at_once": count(value, line)}
    if verb == "limit" and name == "rate":
        jobs, _, time = value.partition("/")
        return {"jobs": count(jobs, line), "seconds": count(str(seconds(time, line)), line)}
    if verb == "put" and name in PUT_OPTIONS:
        return {name: PUT_OPTIONS[name](value, line)}
    raise ScriptError(line, "%s has no option %s" % (verb, name))


def _priority(text, line):
    digits = text[1:] if text.startswith("-") else text
    if not digits.isdigit():
        raise ScriptError(line, "%s is no number" % text)
    return int(text)


def _names(text, line):
    return [name for name in text.split(",") if name]


def _pause(text, line):
    found = parse_pause(text)
    if found is None:
        raise ScriptError(line, "%s is no pause" % text)
    return found


PUT_OPTIONS = {
    "topic": lambda text, line: text,
    "key": lambda text, line: text,
    "priority": _priority,
    "delay": seconds,
    "lease": seconds,
    "tries": count,
    "after": _names,
    "pause": _pause,
}


def limit_of(step):
    """The limit that a step sets."""
    return Limit(**step.options)
