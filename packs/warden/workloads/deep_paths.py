"""A long resource and a pattern that does not match."""

from warden.patterns import matches


def data(size, draw):
    letter = draw.choice("abc")
    return ["**/x/" + "/".join([letter] * 400), "/".join([letter] * (size + draw.randrange(50)))]


def work(given):
    pattern, resource = given
    return [matches(pattern, resource), matches(pattern, "x/" + resource)]
