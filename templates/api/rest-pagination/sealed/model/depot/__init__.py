"""A small stock keeper with an HTTP interface; docs/API.md describes it."""
from depot.app import App

__all__ = ["App"]
