"""Buses, what is attached to them, and links to it."""
