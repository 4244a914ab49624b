"""Decides requests."""

from collections import namedtuple

from warden.errors import ConditionError
from warden.patterns import matches
from warden.people import roles_of
from warden.values import evaluate, truth

#: `user`, `doc` and `env` are attributes.
Request = namedtuple("Request", "name action resource user doc env", defaults=({}, {}, {}))
#: `line` is that of the first deciding rule, or 0.
Decision = namedtuple("Decision", "is_allowed line musts")
#: What became of a rule: `outcome` is action, resource, role, condition, failure, outranked, overruled or decides.
Trace = namedtuple("Trace", "line effect outcome")


def sources_of(request, roles):
    """The attributes that conditions can use."""
    user = dict(request.user, name=request.name, roles=roles)
    return {"user": user, "doc": dict(request.doc, path=request.resource), "env": request.env}


def mismatch(rule, request, roles):
    """What of a rule does not match: action, resource or role; None if all does."""
    if "any" not in rule.actions and request.action not in rule.actions:
        return "action"
    if not matches(rule.pattern, request.resource, request.name):
        return "resource"
    if "any" not in rule.roles and not set(rule.roles) & set(roles):
        return "role"
    return None


def hindrance(rule, sources):
    """Why a rule that matches does not apply: condition or failure; None if it does."""
    if rule.condition is None:
        return None
    try:
        value = truth(evaluate(rule.condition, sources))
    except ConditionError:
        return "failure" if rule.effect == "allow" else None
    return None if value == rule.wanted else "condition"


def explain(policy, request):
    """What became of each rule."""
    roles = roles_of(policy, request.name)
    sources = sources_of(request, roles)
    outcomes = [mismatch(rule, request, roles) or hindrance(rule, sources) for rule in policy.rules]
    applying = [rule for rule, outcome in zip(policy.rules, outcomes) if outcome is None]
    highest = max([rule.level for rule in applying], default=0)
    deciding = [rule for rule in applying if rule.level == highest]
    denies = any(rule.effect == "deny" for rule in deciding)
    traces = []
    for rule, outcome in zip(policy.rules, outcomes):
        if outcome is None and rule.level < highest:
            outcome = "outranked"
        elif outcome is None and denies and rule.effect == "allow":
            outcome = "overruled"
        traces.append(Trace(rule.line, rule.effect, outcome or "decides"))
    return traces


def decide(policy, request):
    """Whether a request is allowed."""
    lines = [trace.line for trace in explain(policy, request) if trace.outcome == "decides"]
    deciding = [rule for rule in policy.rules if rule.line in lines]
    if not deciding:
        return Decision(False, 0, [])
    musts = []
    for rule in deciding:
        musts += [word for word in rule.musts if word not in musts]
    return Decision(deciding[0].effect == "allow", deciding[0].line, musts)
