"""A text and a pattern with some stars."""

from warden.patterns import matches_part


def data(size, draw):
    letter = draw.choice("abcde")
    return [("*" + letter) * 5 + "*x", letter * (size + draw.randrange(9)), draw.choice("xyz")]


def work(given):
    pattern, text, last = given
    return [matches_part(pattern, text), matches_part(pattern, text + last)]
