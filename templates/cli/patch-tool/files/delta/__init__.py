"""Differences of texts, and what to do with them."""
