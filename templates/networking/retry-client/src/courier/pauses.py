"""How long to wait before a repetition."""
from courier.limits import BASE, CAP


def pause(retry, draw):
    """The pause before repetition number `retry` (1, 2, ...). draw(n) is a whole number from 0 to n."""
    longest = min(CAP, BASE * 2 ** (retry - 1))
{% if jitter == "full" %}
    return draw(longest)
{% elif jitter == "half" %}
    return longest // 2 + draw(longest - longest // 2)
{% else %}
    return longest + draw(BASE)
{% endif %}


def retry_after(response):
    """What the server asks for, in milliseconds; 0 if it asks for nothing."""
    for name, value in response.headers:
        if name.lower() == "retry-after" and value.strip().isdigit():
            return int(value) * 1000
    return 0
