"""Chaos: a bench whose phones are pulled, whose server fails and whose program is killed."""
