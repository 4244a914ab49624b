"""Requests and responses."""
import json
from urllib.parse import parse_qsl, urlsplit


class Problem(Exception):
    """Ends a request with a status."""

    def __init__(self, status, body, headers=()):
        super().__init__(status)
        self.status, self.body, self.headers = status, body, dict(headers)


class Request:
    def __init__(self, method, target, headers, body):
        parts = urlsplit(target)
        self.method, self.path, self.body = method, parts.path, body
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers = {name.lower(): value.strip() for name, value in headers.items()}

    def header(self, name):
        return self.headers.get(name.lower())

    def data(self):
        """The JSON object of the body."""
        try:
            data = json.loads(self.body)
        except (TypeError, ValueError):
            data = None
        if not isinstance(data, dict):
            raise Problem(400, {"error": "body"})
        return data


def etag(item):
    return '"%d-%d"' % (item["id"], item["version"])


def names(value, tag):
    """Whether the value of If-Match or If-None-Match names the tag."""
    return value == "*" or tag in [part.strip() for part in value.split(",")]
