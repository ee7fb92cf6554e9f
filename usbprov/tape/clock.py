"""The time, as jobs take it: the computer's, or, in a replay, the tape's, where nobody waits."""

import time
from datetime import UTC, datetime

from usbprov.tape.deck import player


def now() -> datetime:
    """Return the present moment, UTC."""
    playing = player()
    return datetime.now(UTC) if playing is None else playing.now()


def monotonic() -> float:
    """Return seconds of a clock that is never set."""
    playing = player()
    return time.monotonic() if playing is None else playing.monotonic()


def sleep(seconds: float) -> None:
    """Wait so many seconds; in a replay, only the tape's clock goes on."""
    playing = player()
    if playing is None:
        time.sleep(seconds)
    else:
        playing.sleep(seconds)
