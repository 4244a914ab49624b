"""Long patterns and another one that covers some of them."""

from warden.patterns import covers


def data(size, draw):
    letter = draw.choice("abc")
    return ["**/x/" + "/".join([letter] * 400), [long(size // 8, letter, draw) for _ in range(8)]]


def long(size, letter, draw):
    """It ends like the pattern, or its `x` is too near to the end."""
    parts = [letter] * (size + draw.randrange(50))
    parts[-401 if draw.randrange(2) else -draw.randrange(1, 401)] = "x"
    return "/".join(parts)


def work(given):
    pattern, others = given
    return [covers(pattern, other) for other in others]
