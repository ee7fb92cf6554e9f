"""Checks of what a phone needs: lists of steps, each of which says what it saw."""
