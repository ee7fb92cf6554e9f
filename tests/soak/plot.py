"""The samples of a soak as one SVG picture: a curve for each figure, one below the other."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from soak.samples import Sample
from soak.verdict import WARM_UP
from usbprov.bench.report.markup import Markup, element

_WIDTH, _LEFT, _RIGHT = 720, 52, 12
_TALL, _GAP = 110, 52
_STYLE = (
    "text{font:12px sans-serif;fill:#222}.grid{stroke:#ddd}.warm{fill:#f3f0e6}"
    ".curve{fill:none;stroke:#1f5fa8;stroke-width:1.5}.title{font-weight:bold}"
)


_TICKS = ((0.0, "start"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1.0, "end"))


@dataclass(frozen=True)
class _Curve:
    """A figure: its title, and its value at each sample."""

    title: str
    values: Sequence[float]


def plot(samples: Sequence[Sample]) -> str:
    """Draw the samples; the time of the warm-up is shaded."""
    times = [sample.seconds / 60 for sample in samples]
    curves = list(_curves(samples))
    height = len(curves) * (_TALL + _GAP)
    panels = [
        piece
        for row, curve in enumerate(curves)
        for piece in _panel(curve, times, row * (_TALL + _GAP) + 24)
    ]
    ground = element("rect", width=_WIDTH, height=height, fill="#fff")
    title = element("title", "What the bench costs while phones come and go")
    style = element("style", Markup(_STYLE))
    return element(
        "svg",
        title,
        style,
        ground,
        *panels,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        width=_WIDTH,
        height=height,
    )


def _curves(samples: Sequence[Sample]) -> Iterator[_Curve]:
    def of(value: Callable[[Sample], float]) -> list[float]:
        return [value(sample) for sample in samples]

    yield _Curve("Memory in RAM (RSS), MiB", of(lambda s: s.rss_kib / 1024))
    yield _Curve("Open handles", of(lambda s: s.handles))
    yield _Curve("Threads", of(lambda s: s.threads))
    yield _Curve("Processor time, % of one core", list(_load(samples)))
    yield _Curve("Ports with a phone in them", of(lambda s: s.occupied))
    yield _Curve("Phones that are done", of(lambda s: s.done))
    yield _Curve("Ledger on disk, MiB", of(lambda s: s.database_kib / 1024))
    yield _Curve("Longest time without a change at a port, s", of(lambda s: s.oldest_seconds))


def _load(samples: Sequence[Sample]) -> Iterator[float]:
    yield 0.0
    for before, after in itertools.pairwise(samples):
        passed = max(after.seconds - before.seconds, 0.001)
        yield 100 * (after.cpu_seconds - before.cpu_seconds) / passed


def _panel(curve: _Curve, times: Sequence[float], top: float) -> Iterator[Markup]:
    floor, width = top + _TALL, _WIDTH - _LEFT - _RIGHT
    most, end = _round_up(max(curve.values)), max(times[-1], 0.001)
    yield element("text", curve.title, x=_LEFT, y=top - 8, class_="title")
    yield element("rect", x=_LEFT, y=top, width=width * WARM_UP, height=_TALL, class_="warm")
    for share in (0, 0.5, 1):
        at = floor - _TALL * share
        yield element("line", x1=_LEFT, y1=at, x2=_WIDTH - _RIGHT, y2=at, class_="grid")
        yield element("text", f"{most * share:g}", x=_LEFT - 6, y=at + 4, text_anchor="end")
    for share, anchor in _TICKS:
        words, at = f"{end * share:.3g} min", _LEFT + width * share
        yield element("text", words, x=at, y=floor + 16, text_anchor=anchor)
    points = (
        f"{_LEFT + width * time / end:.1f},{floor - _TALL * value / most:.1f}"
        for time, value in zip(times, curve.values, strict=True)
    )
    yield element("polyline", points=" ".join(points), class_="curve")


def _round_up(most: float) -> float:
    """Return a number with one digit, or 1.5 or 2.5 times a power of ten, not below."""
    if most <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(most))
    return next(power * n for n in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if power * n >= most)
