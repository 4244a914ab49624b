"""A client that repeats what may be repeated. docs/RETRIES.md has the rules."""
from courier.client import Client, Response

__all__ = ["Client", "Response"]
