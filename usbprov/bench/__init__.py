"""The staging bench: many phones at once, from a roster, watched on a board."""
