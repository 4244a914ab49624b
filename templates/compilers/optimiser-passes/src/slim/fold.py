"""Folding: docs/GOALS.md says what is wanted. Not written yet."""


def fold(program):
    return program
