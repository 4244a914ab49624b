"""Which outcomes of an attempt may be followed by a repetition."""
from courier.errors import Refused
from courier.limits import AGAIN

SAFE = ("GET", "PUT", "DELETE", "POST")


def repeatable(method, error):
    """Whether a request may be sent again after the transport raised `error`."""
    if isinstance(error, Refused):
        return True
    return method in SAFE


def asks_again(method, response):
    """Whether a response means: try later."""
    if method == "POST" and response.status == 409:
        return any(name.lower() == "x-pending" and value == "yes" for name, value in response.headers)
    return response.status in AGAIN


def is_failure(error, response):
    """Whether the breaker counts an attempt as failed."""
    return error is not None or response.status >= 500
