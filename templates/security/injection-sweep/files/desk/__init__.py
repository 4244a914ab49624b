"""The desk of a library of things."""
