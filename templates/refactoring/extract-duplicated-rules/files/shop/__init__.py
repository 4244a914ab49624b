"""A small shop. All money is in whole cents, all weights in whole kilos."""
