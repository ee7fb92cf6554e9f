"""Which time a report is about: a shift, or since a moment."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from usbprov.engine.times import parse_span

PAUSE = timedelta(hours=4)
"""A pause as long as this parts two shifts: a choice, longer than a meal and shorter than a night.

The ledger is not told when people come and go. Neither is a shift the run of a program: that may
be stopped, killed and begun anew in the middle.
"""

_TIME = re.compile(r"\d{1,2}:\d{2}")


def parse_when(text: str, now: datetime) -> datetime:
    """Read a moment: ``90m``, ``8h``, ``2d`` ago, or ISO 8601; a bare time (``08:30``) is today's.

    What has no zone is by this computer's.

    Returns:
        UTC.

    Raises:
        ValueError: It is neither.
    """
    try:
        with suppress(ValueError):
            return now - parse_span(text)
        if _TIME.fullmatch(text):
            text = f"{now.astimezone():%Y-%m-%d}T{text:0>5}"
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from None


def last_shift(times: Sequence[tuple[datetime, datetime]]) -> datetime | None:
    """Return when the last shift began; None where there never was any work.

    Args:
        times: Begin and end of each job, the one that ended last first.
    """
    begun: datetime | None = None
    for created, updated in times:
        if begun is not None and begun - updated >= PAUSE:
            break
        begun = created if begun is None else min(begun, created)
    return begun
