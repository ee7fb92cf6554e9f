"""What the curves are drawn from: when phones were done, and how long their steps took. Pure."""

import statistics
from array import array
from collections import deque
from collections.abc import Iterable

from usbprov.bench.states import PortState
from usbprov.bench.views import PortView
from usbprov.bench.web.wire import Json

_MOST_PHONES = 20_000
"""Phones whose times are kept, and half as many more: what a table of benches does in a week."""

_LATEST = 500
"""Durations of a step that its figures are made of."""


class Figures:
    """Looks at the views of all benches as they go by, and keeps what has been done.

    Attributes:
        count: How many phones were done in all.
    """

    def __init__(self) -> None:
        self.count = 0
        # As numbers alone: a tuple a phone would be seven times as much.
        self._when = array("d")
        self._took = array("q")
        self._steps: dict[str, deque[int]] = {}
        self._done: dict[tuple[str, str], tuple[int | None, float]] = {}

    def take(self, views: Iterable[PortView]) -> None:
        """Take views; a phone that is done counts once, however often its view comes."""
        for view in views:
            key = (view.bench, view.label)
            if view.state is not PortState.DONE:
                self._done.pop(key, None)
                continue
            phone = (view.job, view.since.timestamp())
            if self._done.get(key) != phone:
                self._done[key] = phone
                self._note(view)

    @property
    def finished(self) -> list[tuple[float, int]]:
        """Of the phones that were done: when (seconds since 1970), and their steps' sum in ms.

        In the order in which they were seen.
        """
        return list(zip(self._when, self._took, strict=True))

    def latest(self, since: int) -> list[tuple[float, int]]:
        """Return the phones that were done after the first ``since`` ones."""
        fresh = min(self.count - since, len(self._when))
        return self.finished[len(self._when) - fresh :] if fresh > 0 else []

    def steps(self) -> list[Json]:
        """Return for each step the number of times, the median and the 90th percentile in ms."""
        return [
            {"name": name, "count": len(times), "median": statistics.median(times)}
            | {"p90": percentile(sorted(times), 0.9), "longest": max(times)}
            for name, times in self._steps.items()
        ]

    def _note(self, view: PortView) -> None:
        timed = [step for step in view.steps if step.mark == "done"]
        self._when.append(view.since.timestamp())
        self._took.append(sum(step.ms for step in timed))
        if len(self._when) > _MOST_PHONES * 3 // 2:
            del self._when[:-_MOST_PHONES], self._took[:-_MOST_PHONES]
        self.count += 1
        for step in timed:
            self._steps.setdefault(step.name, deque(maxlen=_LATEST)).append(step.ms)


def percentile(ordered: list[int], part: float) -> int:
    """Return the value that ``part`` of the values, in order, do not go beyond (nearest rank)."""
    return ordered[max(0, -(-len(ordered) * round(part * 100) // 100) - 1)]
