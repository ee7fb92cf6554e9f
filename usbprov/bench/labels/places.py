"""Where labels lie on their pages; millimetres from the lower left corner."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from usbprov.bench.labels.label import Size

A4 = Size(210, 297)


@dataclass(frozen=True)
class Place:
    """The lower left corner of a label."""

    x: float
    y: float


ALONE = (Place(0, 0),)
"""The only place of a page that is a label."""


def places_on(page: Size, label: Size) -> Sequence[Place]:
    """Return the places for as many labels as fit, without gaps, in the middle; row by row."""
    columns, rows = int(page.width // label.width), int(page.height // label.height)
    left = (page.width - columns * label.width) / 2
    bottom = (page.height - rows * label.height) / 2
    return [
        Place(left + column * label.width, bottom + row * label.height)
        for row in reversed(range(rows))
        for column in range(columns)
    ]


def by_page(count: int, places: Sequence[Place], skip: int) -> Iterator[list[tuple[int, Place]]]:
    """Yield the pages: which label lies where; ``skip`` places of the first one stay empty."""
    used = skip % len(places)
    for begin in range(-used, count, len(places)):
        numbers = range(max(begin, 0), min(begin + len(places), count))
        yield [(number, places[number - begin]) for number in numbers]
