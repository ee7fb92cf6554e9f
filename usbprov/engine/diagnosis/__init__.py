"""Diagnosis: from what happened to its likely causes, in order, and what to do about each.

``table`` is the knowledge, as data. ``ranking`` finds the row that fits an error and orders its
causes; it is pure. ``probes`` are the checks that tell causes apart and are safe to make:
nothing is written, no secret is sent, no PIN is tried. ``finding`` looks things up by words.
"""
