"""A distribution in six numbers."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Of some values: least, quartiles, the one that 95 % do not exceed, most."""

    least: float
    lower: float
    median: float
    upper: float
    p95: float
    most: float


def spread_of(values: Sequence[int]) -> Spread:
    """Describe sorted values; between two of them the bounds are interpolated.

    Args:
        values: Sorted, and not empty.
    """
    return Spread(*(quantile(values, part) for part in (0, 0.25, 0.5, 0.75, 0.95, 1)))


def quantile(values: Sequence[int], part: float) -> float:
    """Return the value below which ``part`` of sorted values lie (type 7 of Hyndman and Fan)."""
    place = part * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)
