"""A long pattern and another one that does not cover it."""

from warden.patterns import covers


def data(size, draw):
    letter = draw.choice("abc")
    return ["**/x/" + "/".join([letter] * 400), "/".join([letter] * (size + draw.randrange(50)))]


def work(given):
    wide, narrow = given
    return [covers(wide, narrow), covers("**", narrow)]
