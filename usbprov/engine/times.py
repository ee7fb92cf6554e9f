"""Times for people: in the user's zone. Everything stored is UTC."""

from datetime import datetime


def local(moment: datetime) -> str:
    """Write a moment in the user's zone, to the minute: ``2026-11-23 18:05 CET``."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")
