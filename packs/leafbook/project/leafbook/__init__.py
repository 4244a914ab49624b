"""Keys and values in a file of pages. See README.md."""

from leafbook.checks import check
from leafbook.errors import StoreError
from leafbook.store import Store

__all__ = ["Store", "StoreError", "check"]
