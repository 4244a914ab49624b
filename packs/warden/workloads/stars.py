"""Texts and patterns with some stars."""

from warden.patterns import matches_part


def data(size, draw):
    letter = draw.choice("abcde")
    texts = [marked(size, letter, draw) for _ in range(16)]
    return [("*" + letter) * 5 + "*x", letter * (size + draw.randrange(9)), draw.choice("xyz"), texts]


def marked(size, letter, draw):
    """Three marks at drawn places, in one of two orders."""
    text = [letter] * size
    for at, mark in zip(sorted(draw.sample(range(size), 3)), draw.choice(["xyz", "xzy"])):
        text[at] = mark
    return "".join(text)


def work(given):
    pattern, text, last, texts = given
    found = [matches_part(pattern, text), matches_part(pattern, text + last)]
    return found + [matches_part("*x*y*z*", other) for other in texts]
