"""What the curves are drawn from: when phones were done, and how long their steps took. Pure."""

import statistics
from collections import deque
from collections.abc import Iterable

from usbprov.bench.states import PortState
from usbprov.bench.views import PortView
from usbprov.bench.web.wire import Json

_MOST_PHONES = 20_000
"""Phones whose times are kept: more than a table of benches does in a week."""

_LATEST = 500
"""Durations of a step that its figures are made of."""


class Figures:
    """Looks at the views of all benches as they go by, and keeps what has been done.

    Attributes:
        finished: Of every phone that was done: when (seconds since 1970), and the sum of its
            steps in ms; in the order in which they were seen.
        count: How many there were in all.
    """

    def __init__(self) -> None:
        self.finished: deque[tuple[float, int]] = deque(maxlen=_MOST_PHONES)
        self.count = 0
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

    def latest(self, since: int) -> list[tuple[float, int]]:
        """Return the phones that were done after the first ``since`` ones."""
        fresh = min(self.count - since, len(self.finished))
        return list(self.finished)[len(self.finished) - fresh :] if fresh > 0 else []

    def steps(self) -> list[Json]:
        """Return for each step the number of times, the median and the 90th percentile in ms."""
        return [
            {"name": name, "count": len(times), "median": statistics.median(times)}
            | {"p90": percentile(sorted(times), 0.9), "longest": max(times)}
            for name, times in self._steps.items()
        ]

    def _note(self, view: PortView) -> None:
        timed = [step for step in view.steps if step.mark == "done"]
        self.finished.append((view.since.timestamp(), sum(step.ms for step in timed)))
        self.count += 1
        for step in timed:
            self._steps.setdefault(step.name, deque(maxlen=_LATEST)).append(step.ms)


def percentile(ordered: list[int], part: float) -> int:
    """Return the value that ``part`` of the values, in order, do not go beyond (nearest rank)."""
    return ordered[max(0, -(-len(ordered) * round(part * 100) // 100) - 1)]
