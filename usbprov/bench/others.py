"""The other benches, as the ledger tells of them: what this bench's boards show of each. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from usbprov.bench.feed import View
from usbprov.bench.posting import view_of
from usbprov.bench.states import PortState
from usbprov.bench.views import BenchView, PortView
from usbprov.ledger.benches import BenchRecord, BoardRow, Changes

_AT_REST = frozenset({PortState.EMPTY, PortState.DONE, PortState.FAILED})
"""States that stay true when nobody works at a port any more."""


@dataclass
class _Other:
    """One of them.

    Attributes:
        record: As the ledger has it.
        ports: Its ports by label, as it told of them last.
        whole: The same of the bench itself.
        shown: Whether boards show it: it ran at some time since this bench looks.
        stale: Ports of an earlier run of it, that this one has not told of yet.
    """

    record: BenchRecord
    ports: dict[str, PortView] = field(default_factory=dict)
    whole: BenchView | None = None
    shown: bool = False
    stale: set[str] = field(default_factory=set)

    def views(self) -> Iterator[View]:
        """Yield all that boards are to show of it."""
        yield self.bench_view()
        yield from map(self.port_view, self.ports.values())

    def bench_view(self) -> BenchView:
        """Return how the bench is shown; one that has told of nothing yet, too."""
        record = self.record
        view = self.whole or BenchView(0, record.name, record.started, 0, 0, 0, 0)
        if record.running:
            return view
        absent = "ended" if record.ended else f"not heard of since {_clock(record.seen)}"
        return replace(view, running=0, per_hour=None, left=None, absent=absent)

    def port_view(self, view: PortView) -> PortView:
        """Return how a port is shown; nobody works there when the bench does not run."""
        if self.record.running or view.state in _AT_REST:
            return view
        hand = f"start bench {view.bench} again, or plug the phone in elsewhere"
        return replace(view, state=PortState.AWAY, step="", percent=None, hand=hand)

    def take(self, row: BoardRow) -> Iterator[View]:
        """Take a row in, and yield what is to be shown anew."""
        view = view_of(row)
        if isinstance(view, PortView):
            self.ports[view.label] = view
            self.stale.discard(view.label)
            yield self.port_view(view)
        elif view is not None:
            self.whole = view
            yield self.bench_view()
            yield from self._cleared()

    def began_anew(self) -> None:
        """Note that it was started again: what it does not tell of soon is there no more."""
        self.stale = set(self.ports)
        self.whole = None

    def _cleared(self) -> Iterator[PortView]:
        for label in self.stale:
            old = self.ports.pop(label)
            now = datetime.now(UTC)
            yield PortView(old.bench, label, old.address, PortState.EMPTY, old.number, now)
        self.stale = set()


class Others:
    """Keeps what other benches have told.

    A bench that does not run is shown only if it ran before: of those that ended in earlier
    shifts nothing is shown.
    """

    def __init__(self, name: str) -> None:
        """Begin with none; ``name`` is this bench's own."""
        self._name = name
        self._others: dict[str, _Other] = {}

    @property
    def any_runs(self) -> bool:
        """Whether another bench runs, by what the ledger said last."""
        return any(other.record.running for other in self._others.values())

    def take(self, changes: Changes) -> list[View]:
        """Take in what is new; return what boards are to show anew."""
        whole = {r.name for r in changes.benches if r.name != self._name and self._met(r)}
        known = ((row, self._others.get(row.bench)) for row in changes.rows)
        rows = [(other, view) for row, other in known if other for view in other.take(row)]
        shown = [view for other, view in rows if other.shown]
        return [*shown, *(view for name in sorted(whole) for view in self._others[name].views())]

    def _met(self, record: BenchRecord) -> bool:
        """Note how a bench is; say whether all of it is to be shown anew."""
        other = self._others.setdefault(record.name, _Other(record))
        before, other.record = other.record, record
        if record.started != before.started:
            other.began_anew()
        changed = record.running != before.running or record.started != before.started
        newly = record.running and not other.shown
        other.shown |= newly
        return newly or (other.shown and changed)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M}"
