"""Not written yet: see docs/API.md."""
from depot.http import Problem

def page(store, request):
    """One page of GET /items."""
    raise Problem(501, {"error": "list"})
