"""Times as the wire writes them: xs:dateTime in UTC."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present in UTC."""

_XS_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def system_clock() -> datetime:
    """Return the present by this computer's clock."""
    return datetime.now(UTC)


def write_time(moment: datetime) -> str:
    """Write a time in whole seconds: ``2012-05-01T08:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str) -> datetime:
    """Read an xs:dateTime with a zone; what is finer than a microsecond is cut off.

    Raises:
        ValueError: It is none.
    """
    if not _XS_DATETIME.fullmatch(text):
        raise ValueError("not an xs:dateTime")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:
        raise ValueError("beyond the calendar") from None
