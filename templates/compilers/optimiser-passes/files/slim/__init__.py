"""An optimiser for small programs: slim.optimise(text) gives a text that does the same."""
from slim.manager import optimise

__all__ = ["optimise"]
