"""How a page writes moments, durations and parts."""

from datetime import datetime

NOTHING = "\N{EN DASH}"


def local(moment: datetime | None) -> str:
    """Write a moment by this computer's zone, to the minute: ``2026-11-23 17:05``."""
    return NOTHING if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def duration(ms: float) -> str:
    """Write a duration shortly: ``17 ms``, ``4.2 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 59_950:
        return f"{ms / 1000:.3g} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def part(of: float | None) -> str:
    """Write a part in per cent; rounded down, so that 100 % means all."""
    return NOTHING if of is None else f"{int(of * 1000 + 1e-9) / 10:g} %"


def rate(per_hour: float | None) -> str:
    """Write phones an hour."""
    return (
        NOTHING if per_hour is None else f"{per_hour:.3g}" if per_hour < 100 else f"{per_hour:.0f}"
    )
