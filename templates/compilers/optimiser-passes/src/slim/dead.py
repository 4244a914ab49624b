"""Dead_code: docs/GOALS.md says what is wanted. Not written yet."""


def clean(program):
    return program
