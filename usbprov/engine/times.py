"""Times for people: in the user's zone. Everything stored is UTC."""

import re
from datetime import datetime, timedelta

_SPAN = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def local(moment: datetime) -> str:
    """Write a moment in the user's zone, to the minute: ``2026-11-23 18:05 CET``."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def parse_span(text: str) -> timedelta:
    """Read a span of time: ``90m``, ``8h``, ``30d``.

    Raises:
        ValueError: It is none.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
