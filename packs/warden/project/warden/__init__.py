"""Decides who may do what. See README.md."""

from warden.decide import Decision, Request, decide, explain
from warden.errors import ConditionError, PolicyError
from warden.lint import lint
from warden.policy import Policy, read_policy

__all__ = [
    "ConditionError", "Decision", "Policy", "PolicyError", "Request", "decide", "explain", "lint", "read_policy",
]
