"""What a board has seen so far: the latest view of each port and of each bench."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from usbprov.bench.feed import View
from usbprov.bench.views import BenchView, PortView


@dataclass
class Seen:
    """The latest views.

    A port's line is for its own bench's operator; other benches on the same roster get a line
    each. What is older than what was seen already is left out.

    Attributes:
        name: Of the own bench.
        ports: The own bench's ports, by label.
        bench: The own bench, once it was seen.
        others: The other benches, by name.
    """

    name: str
    ports: dict[str, PortView] = field(default_factory=dict)
    bench: BenchView | None = None
    others: dict[str, BenchView] = field(default_factory=dict)
    _foreign: dict[tuple[str, str], PortView] = field(default_factory=dict)

    def take(self, views: Iterable[View]) -> list[PortView]:
        """Take views in; returns those of own ports that were news."""
        return [v for v in views if self._take(v) and isinstance(v, PortView)]

    def _take(self, view: View) -> bool:
        if isinstance(view, BenchView):
            self._take_bench(view)
            return False
        if view.bench != self.name:
            self._foreign[view.bench, view.label] = view
            return False
        known = self.ports.get(view.label)
        if known is not None and known.number >= view.number:
            return False
        self.ports[view.label] = view
        return True

    def _take_bench(self, view: BenchView) -> None:
        if view.name == self.name:
            self.bench = view
        else:
            self.others[view.name] = view

    def elsewhere(self) -> list[tuple[str, Counter[str]]]:
        """Count the states of the other benches' ports."""
        found: dict[str, Counter[str]] = {name: Counter() for name in self.others}
        for (bench, _), view in self._foreign.items():
            found.setdefault(bench, Counter())[view.state] += 1
        return sorted(found.items())
