"""Proofs that an entry is in a log. Not written yet."""


def prove(text, number, size):
    raise NotImplementedError


def check(proof, entry, root):
    raise NotImplementedError
