"""The ports on a screen that may be too small for them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from rich.text import Text

from usbprov.bench.terminal.looks import LOOKS, Urgency, urgency_of
from usbprov.bench.terminal.row import row_for
from usbprov.bench.terminal.words import label_order
from usbprov.bench.views import PortView

_NARROWEST = 78
"""Cells of a column of ports, when there are several beside one another."""

_RULE = " │ "


@dataclass(frozen=True)
class Area:
    """Which ports are shown, in order, in how many columns, and which are summed up.

    While there is room every port keeps its place, by label. Else the most urgent come first.

    Attributes:
        shown: The ports that have a line.
        rest: Those that have none.
        columns: Ports beside one another.
        labels: Of all ports, in the order in which the arrow keys go through them.
    """

    shown: tuple[PortView, ...]
    rest: tuple[PortView, ...]
    columns: int
    labels: tuple[str, ...]


def area_for(ports: Iterable[PortView], size: tuple[int, int], chosen: str | None = None) -> Area:
    """Choose what is shown.

    Args:
        ports: All of them.
        size: Width in cells, and lines.
        chosen: Label of a port that is shown in any case.
    """
    width, lines = size
    by_label = sorted(ports, key=lambda view: label_order(view.label))
    most = max(1, (width + len(_RULE)) // (_NARROWEST + len(_RULE)))
    needed = -(-len(by_label) // max(lines, 1))
    if needed <= most:
        return Area(tuple(by_label), (), max(1, needed), _labels(by_label))
    by_urgency = sorted(by_label, key=lambda view: (urgency_of(view), view.trouble is None))
    return _cut(by_urgency, max(lines - 1, 0) * most, most, chosen)


def _cut(ports: list[PortView], room: int, columns: int, chosen: str | None) -> Area:
    """Show the first so many, and the chosen one instead of the last if it is further down."""
    labels = _labels(ports)
    at = next((n for n, view in enumerate(ports) if view.label == chosen), 0)
    if at >= room > 0:
        ports.insert(room - 1, ports.pop(at))
    return Area(tuple(ports[:room]), tuple(ports[room:]), columns, labels)


def _labels(ports: Iterable[PortView]) -> tuple[str, ...]:
    return tuple(view.label for view in ports)


def area_lines(
    area: Area,
    size: tuple[int, int],
    now: datetime,
    chosen: str | None = None,
) -> list[Text]:
    """Write the lines; never more than the size has."""
    width, lines = size
    labels = [view.label for view in area.shown]
    cells = (width - len(_RULE) * (area.columns - 1)) // area.columns
    row = row_for(cells, labels)
    made = [row.line(view, now, chosen=view.label == chosen) for view in area.shown]
    tall = min(-(-len(made) // area.columns), lines)
    joined = [_beside(made[at::tall], width) for at in range(tall)]
    return [*joined, *([rest_line(area.rest, width)] if area.rest else [])][:lines]


def _beside(cells: Sequence[Text], width: int) -> Text:
    first, *others = cells
    rule = Text(_RULE, "dim")
    pieces = chain.from_iterable((rule, cell) for cell in others)
    line = Text.assemble(first, *pieces, no_wrap=True)
    line.truncate(width, overflow="crop", pad=True)
    return line


def rest_line(rest: Sequence[PortView], width: int) -> Text:
    """Sum up what there is no line for: ``… 43 more: 15 running, 28 empty``."""
    counts = count_of(rest)
    told = ", ".join(f"{counts[n]} {look.count}" for n, look in LOOKS.items() if counts[n])
    line = Text(f"… {len(rest)} more: {told}", "", no_wrap=True)
    line.truncate(width, overflow="ellipsis", pad=True)
    urgent = min(counts) <= Urgency.UNPLUG
    line.stylize("bold" if urgent else "dim")
    return line


def count_of(ports: Iterable[PortView]) -> Counter[Urgency]:
    """Count the ports of each urgency."""
    return Counter(urgency_of(view) for view in ports)
