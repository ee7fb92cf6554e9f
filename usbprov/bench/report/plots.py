"""The report's plots as SVG, 480 units wide: readable on paper and on a telephone."""

import math
from collections.abc import Iterator, Sequence

from usbprov.bench.report.facts import FailureGroup, Rate, StepTimes, Sums
from usbprov.bench.report.markup import Markup, Piece, element, joined
from usbprov.bench.report.statistic import Spread, spread_of
from usbprov.bench.report.words import duration

WIDTH = 480
_MOST_DOTS = 80
"""Dots a step; of more values every n-th by rank is shown, the least and the most always."""


def part_plot(sums: Sums) -> Markup:
    """Draw the phones as one bar: done, failed, unfinished."""
    parts = (("done", sums.done), ("failed", sums.failed), ("unfinished", sums.unfinished))
    words = ", ".join(f"{count} {name}" for name, count in parts)
    bars, left = [], 0.0
    for name, count in parts:
        width = WIDTH * count / max(sums.phones, 1)
        bars.append(_rect(left, 0, width, 28, class_=name))
        if width >= 28:
            label = f"{_SIGNS[name]} {count}"
            bars.append(_text(left + width / 2, 19, label, "middle", class_=f"on-{name}"))
        left += width
    return _svg("Where the phones stand", words, 28, *bars)


_SIGNS = {"done": "✓", "failed": "✗", "unfinished": "…"}


def rate_plot(rates: Sequence[Rate]) -> Markup:
    """Draw the phones an hour as bars over time."""
    most = max((rate.per_hour for rate in rates), default=0)
    top = _round_up(most)
    left, floor, height = 44, 148, 132
    step = (WIDTH - left) / max(len(rates), 1)
    pieces = list(_grid(top, left, floor, height))
    for place, rate in enumerate(rates):
        tall = height * rate.per_hour / top
        bar = _rect(left + place * step + 1, floor - tall, max(step - 2, 1), tall, class_="bar")
        pieces.append(bar)
    for place in range(0, len(rates), math.ceil(len(rates) / 6) or 1):
        when = rates[place].since.astimezone()
        form = "%H:%M" if rates[place].seconds < 86400 else "%m-%d"
        pieces.append(_text(left + place * step + 1, floor + 16, when.strftime(form)))
    words = f"At most {most:.0f} phones an hour, in {len(rates)} stretches of time"
    return _svg("Phones per hour over time", words, floor + 24, *pieces)


def _grid(top: float, left: int, floor: int, height: int) -> Iterator[Markup]:
    for share in (0, 0.5, 1):
        at = floor - height * share
        yield _line(left, at, WIDTH, at, class_="grid")
        yield _text(left - 6, at + 4, f"{top * share:g}", "end")


def _round_up(most: float) -> float:
    """Return 1, 2 or 5 times a power of ten, not below."""
    if most <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(most))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= most * (1 - 1e-9))


def step_plot(steps: Sequence[StepTimes]) -> Markup:
    """Draw each step's times: a dot a time, a box for the middle half, a line for the median."""
    scale = _Scale([ms for step in steps for ms in step.values])
    bottom = 26 * len(steps) + 4
    pieces: list[Markup] = []
    for ms in scale.ticks:
        at = scale.place(ms)
        pieces += [
            _line(at, 0, at, bottom, class_="grid"),
            _text(at, bottom + 15, duration(ms), "end" if at > WIDTH - 24 else "middle"),
        ]
    for row, step in enumerate(steps):
        pieces += _box(step, 26 * row + 15, scale)
    words = "; ".join(f"{s.name}: median {duration(spread_of(s.values).median)}" for s in steps)
    return _svg("Time per step, on a logarithmic scale", words, bottom + 22, *pieces)


class _Scale:
    """A logarithmic scale of milliseconds that holds all values."""

    left = 78

    def __init__(self, values: Sequence[int]) -> None:
        logs = [math.log10(max(value, 1)) for value in values]
        self._least = math.floor(min(logs, default=0))
        self._most = max(math.ceil(max(logs, default=1)), self._least + 1)
        self.ticks = [10**power for power in range(self._least, self._most + 1)]

    def place(self, ms: float) -> float:
        share = (math.log10(max(ms, 1)) - self._least) / (self._most - self._least)
        return self.left + share * (WIDTH - 4 - self.left)


def _box(step: StepTimes, middle: float, scale: _Scale) -> Iterator[Markup]:
    spread = spread_of(step.values)
    yield _text(scale.left - 8, middle + 4, step.name, "end")
    yield from _dots(step.values, middle, scale)
    yield _whiskers(spread, middle, scale)


def _dots(values: Sequence[int], middle: float, scale: _Scale) -> Iterator[Markup]:
    count = min(len(values), _MOST_DOTS)
    for number in range(count):
        ms = values[round(number * (len(values) - 1) / max(count - 1, 1))]
        height = middle + (number * 5 % 7 - 3) * 2  # so that equal ones do not hide each other
        yield element("circle", cx=_at(scale.place(ms)), cy=_at(height), r=1.6, class_="dot")


def _whiskers(spread: Spread, middle: float, scale: _Scale) -> Markup:
    lower, upper = scale.place(spread.lower), scale.place(spread.upper)
    median = scale.place(spread.median)
    return joined(
        _line(
            scale.place(spread.least), middle, scale.place(spread.most), middle, class_="whisker"
        ),
        _rect(lower, middle - 8, max(upper - lower, 1), 16, class_="box"),
        _line(median, middle - 8, median, middle + 8, class_="median"),
    )


def failure_plot(groups: Sequence[FailureGroup]) -> Markup:
    """Draw how many phones stand failed for each cause."""
    most = max((group.phones for group in groups), default=1)
    pieces: list[Markup] = []
    for row, group in enumerate(groups):
        width = (WIDTH - 78 - 34) * group.phones / most
        pieces += [
            _text(70, 26 * row + 18, group.trouble.code, "end"),
            _rect(78, 26 * row + 4, width, 20, class_="failed"),
            _text(78 + width + 6, 26 * row + 18, str(group.phones)),
        ]
    words = "; ".join(f"{group.trouble.code}: {group.phones}" for group in groups)
    return _svg("Failures by cause", words, 26 * len(groups) + 4, *pieces)


# --- shapes


def _svg(title: str, words: str, height: float, *inner: Piece) -> Markup:
    return element(
        "svg",
        element("title", title),
        element("desc", words),
        *inner,
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        aria_label=f"{title}: {words}",
    )


def _rect(x: float, y: float, width: float, height: float, class_: str) -> Markup:
    return element("rect", x=_at(x), y=_at(y), width=_at(width), height=_at(height), class_=class_)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=_at(x1), y1=_at(y1), x2=_at(x2), y2=_at(y2), class_=class_)


def _text(
    x: float, y: float, words: str, anchor: str = "start", class_: str | None = None
) -> Markup:
    return element("text", words, x=_at(x), y=_at(y), text_anchor=anchor, class_=class_)


def _at(place: float) -> float:
    return round(place, 1)
