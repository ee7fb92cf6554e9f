"""Draws what ``bench64.py`` has measured: four small plots over the number of phones, as SVG.

``python bench64_plot.py FILE.svg < figures.json`` draws figures that were kept.
"""

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

Row = Mapping[str, Any]

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 30, 30
STYLE = (
    "text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.grid{stroke:#ddd}"
    ".goal{stroke:#b00;stroke-dasharray:2 3}.line{fill:none;stroke-width:2}"
    ".ours{stroke:#0a58a5}.ours-mark{fill:#0a58a5}"
    ".floor{stroke:#8a5a00;stroke-dasharray:6 3}.floor-mark{fill:#8a5a00}"
)


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        title: What is shown, with its unit.
        host_keys: Of which runs.
        ours: Takes the program's figure out of a row.
        floor: Takes the floor program's.
        goal: The most that it may be at 64 phones, or None.
    """

    title: str
    host_keys: bool
    ours: Callable[[Row], float]
    floor: Callable[[Row], float]
    goal: Callable[[Row], float] | None = None


PANELS = (
    Panel(
        "Seconds over the slowest phone's own time",
        host_keys=False,
        ours=lambda row: row["over"],
        floor=lambda row: row["floor_over"],
        goal=lambda _: 1.0,
    ),
    Panel(
        "Seconds, keys made by the computer",
        host_keys=True,
        ours=lambda row: row["wall"],
        floor=lambda row: row["floor_wall"],
        goal=lambda row: 1.5 * row["floor_wall"],
    ),
    Panel(
        "Processor, ms a phone, keys of the phones",
        host_keys=False,
        ours=lambda row: row["cpu_ms"],
        floor=lambda row: row["floor_cpu_ms"],
        goal=lambda row: row["floor_cpu_ms"] + 15.0,
    ),
    Panel(
        "Memory, MiB",
        host_keys=False,
        ours=lambda row: row["rss"],
        floor=lambda row: row["floor_rss"],
        goal=lambda row: 110.0 + 0.5 * max(0, row["phones"] - 64),
    ),
)


class Scale:
    """Where the values of a panel are."""

    def __init__(self, rows: Sequence[Row], most: float) -> None:
        self._phones: int = max(row["phones"] for row in rows)
        self.top = rounded_up(most)

    def across(self, phones: float) -> float:
        """Return where a number of phones is."""
        return LEFT + (WIDTH - LEFT - RIGHT) * phones / self._phones

    def up(self, value: float) -> float:
        """Return where a value is."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top


def rounded_up(most: float) -> float:
    """Return 1, 2, 4, 6, 8 or 10 times a power of ten, not below."""
    power: float = math.pow(10, math.floor(math.log10(most))) if most > 0 else 1.0
    factor: float = next(n for n in (1, 2, 4, 6, 8, 10) if power * n >= most * (1 - 1e-9))
    return power * factor


def draw(rows: Sequence[Row]) -> str:
    """Return the SVG of all panels, two beside each other."""
    drawn = [
        (panel, [row for row in rows if row["host_keys"] == panel.host_keys]) for panel in PANELS
    ]
    shown = [(panel, its) for panel, its in drawn if its]
    lines = math.ceil(len(shown) / 2)
    height = HEIGHT * lines + 24
    pieces = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {height}" role="img">',
        f"<title>{escape('usbprov and the floor program, by number of phones')}</title>",
        f"<desc>{escape(words(rows))}</desc><style>{STYLE}</style>",
        f'<rect width="{2 * WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for place, (panel, its) in enumerate(shown):
        pieces.append(f'<g transform="translate({place % 2 * WIDTH} {place // 2 * HEIGHT})">')
        pieces += [*panel_pieces(panel, its), "</g>"]
    pieces += [*legend(height - 10), "</svg>"]
    return "\n".join(pieces) + "\n"


def words(rows: Sequence[Row]) -> str:
    """Say the figures for those who do not see the plot."""
    return "; ".join(
        f"{row['phones']} phones, keys of the {'computer' if row['host_keys'] else 'phones'}: "
        f"{row['wall']:.2f} s (floor {row['floor_wall']:.2f}), {row['cpu_ms']:.0f} ms of processor"
        f" a phone (floor {row['floor_cpu_ms']:.0f}), {row['rss']:.0f} MiB"
        for row in rows
    )


def panel_pieces(panel: Panel, rows: Sequence[Row]) -> Iterator[str]:
    """Draw one panel."""
    curves = {"ours": panel.ours, "floor": panel.floor}
    most = max(value(row) for value in curves.values() for row in rows)
    scale = Scale(rows, most)
    yield f'<text class="title" x="{LEFT}" y="18">{escape(panel.title)}</text>'
    for share in (0, 0.5, 1):
        at = scale.up(scale.top * share)
        yield f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>'
        label = f"{scale.top * share:g}"
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{label}</text>'
    for row in rows:
        at = scale.across(row["phones"])
        if row["phones"] >= 16 or row["phones"] == 1:
            label = f'y="{HEIGHT - 12}" text-anchor="middle">{row["phones"]}'
            yield f'<text x="{at:.1f}" {label}</text>'
    if panel.goal is not None:
        yield line("goal", [(r, panel.goal(r)) for r in rows if panel.goal(r) <= scale.top], scale)
    for name, value in curves.items():
        points = [(row, value(row)) for row in rows]
        yield line(name, points, scale)
        yield from marks(name, points, scale)


def line(name: str, points: Sequence[tuple[Row, float]], scale: Scale) -> str:
    """Draw a curve."""
    at = (f"{scale.across(row['phones']):.1f},{scale.up(value):.1f}" for row, value in points)
    return f'<polyline class="line {name}" points="{" ".join(at)}"/>'


def marks(name: str, points: Sequence[tuple[Row, float]], scale: Scale) -> Iterator[str]:
    """Mark what was measured: the program by discs, the floor by squares."""
    for row, value in points:
        x, y = scale.across(row["phones"]), scale.up(value)
        yield mark(name, x, y)


def mark(name: str, x: float, y: float) -> str:
    """Draw a disc or a square."""
    if name == "ours":
        return f'<circle class="ours-mark" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    return f'<rect class="floor-mark" x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>'


def legend(y: float) -> Iterator[str]:
    """Say which is which."""
    for x, name, said in (
        (LEFT, "ours", "usbprov bench run"),
        (LEFT + 180, "floor", "floor program"),
    ):
        yield f'<path class="line {name}" d="M{x} {y - 4}h24"/>{mark(name, x + 12, y - 4)}'
        yield f'<text x="{x + 30}" y="{y}">{said}</text>'
    yield f'<path class="line goal" d="M{LEFT + 330} {y - 4}h24"/>'
    yield f'<text x="{LEFT + 360}" y="{y}">goal (at 64 phones)</text>'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(json.load(sys.stdin)))
