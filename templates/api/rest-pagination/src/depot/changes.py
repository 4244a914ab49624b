"""Not written yet: see docs/API.md."""
from depot.http import Problem

def put(store, item, request):
    """The item after a PUT."""
    raise Problem(501, {"error": "put"})


def patch(store, item, request):
    """The item after a PATCH."""
    raise Problem(501, {"error": "patch"})
