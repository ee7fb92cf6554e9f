"""A bench without phones: it plays the views of a shift, and takes what a board asks of it."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from usbprov.bench.feed import Feed
from usbprov.bench.portmap import Hub, PortMap
from usbprov.bench.states import PortState
from usbprov.bench.troubles import trouble_of
from usbprov.bench.views import BenchView, PortView, StepView, Trouble
from usbprov.engine.diagnosis.model import Context
from usbprov.errors import CredentialRefused, ScanUnknown, UsbprovError

NAME = "south"

POOL = "pool.contoso.example"

REFUSED = trouble_of(CredentialRefused(POOL, "The PIN is wrong.", 28008), Context(step="ticket"))

STEPS = (
    ("identify", 40, "Polycom CX600"),
    ("plan", 2, ""),
    ("ticket", 310, "PIN"),
    ("clock", 30, ""),
    ("trust", 120, "2 certificates"),
    ("key", 2400, "RSA 2048, made by the phone"),
    ("request", 60, ""),
    ("publish", 900, ""),
    ("check", 3, ""),
    ("install", 700, "4,102 bytes"),
    ("prove", 90, ""),
    ("sign in", 450, "TLS-DSK"),
)

_WALK = (
    (PortState.PLUGGED, 0),
    (PortState.IDENTIFYING, 1),
    (PortState.KEY, 5),
    (PortState.PUBLISHING, 7),
    (PortState.INSTALLING, 9),
    (PortState.PROVING, 11),
    (PortState.DONE, 12),
)


def steps(count: int, mark: str = "done", *, slower: float = 1.0) -> tuple[StepView, ...]:
    """Return the first ``count`` steps of a job as done, and the next with ``mark``."""
    done = [StepView(name, "done", int(ms * slower), told) for name, ms, told in STEPS[:count]]
    if mark != "done" and count < len(STEPS):
        done.append(StepView(STEPS[count][0], mark, STEPS[count][1], ""))
    return tuple(done)


def hub_of(letter: str, rows: int, columns: int, controller: int = 1) -> Hub:
    """Return a hub with ports ``A1``, ``A2`` …, row by row."""
    labels = [f"{letter}{number + 1}" for number in range(rows * columns)]
    lying = tuple(tuple(labels[at : at + columns]) for at in range(0, len(labels), columns))
    hub = ord(letter) - ord("A") + 1
    ports = {f"{controller}-{hub}.{number + 1}": label for number, label in enumerate(labels)}
    return Hub(f"Hub {letter}", lying, ports)


class Stage:
    """Stands in for the bench.

    Attributes:
        feed: The views.
        orders: What boards have asked for, in order.
        refusal: Raised instead of taking the next orders, if there is one.
    """

    def __init__(self, *hubs: Hub, name: str = NAME, roster: int = 64) -> None:
        self.feed = Feed()
        self.map = PortMap(name, hubs or (hub_of("A", 2, 4), hub_of("B", 2, 4)))
        self.orders: list[tuple[str, str]] = []
        self.refusal: UsbprovError | None = None
        self.pins: list[str] = []
        self._numbers = itertools.count(1)
        self._views: dict[str, PortView] = {}
        self._bench = BenchView(0, name, datetime.now(UTC), roster, 0, 0, 0)

    def bench(self, **changes: object) -> None:
        """Tell how the bench is."""
        self._bench = replace(self._bench, number=next(self._numbers), **changes)  # type: ignore[arg-type]
        self.feed.publish(self._bench)

    def port(self, label: str, state: PortState, **changes: object) -> PortView:
        """Bring a port into a state; what is not told stays as it was, or is a usual phone's."""
        number = next(self._numbers)
        before = self._views.get(label) or self._empty(label)
        changes = {"number": number, "since": datetime.now(UTC), **changes}
        view = replace(before, state=state, **changes)  # type: ignore[arg-type]
        self._views[label] = view
        self.feed.publish(view)
        return view

    def plug(self, label: str, person: str = "Alice Example") -> PortView:
        """Plug a phone in."""
        user = person.split(maxsplit=1)[0].lower()
        serial = f"64167F{sum(map(ord, label)):06d}"
        return self.port(
            label,
            PortState.PLUGGED,
            phone="Polycom CX600",
            serial=serial,
            mac="64:16:7f:00:00:01",
            user=f"sip:{user}@contoso.example",
            name=person,
            job=next(self._numbers),
            trouble=None,
            steps=(),
            hand="",
            attempt=1,
            thumbprint="",
            not_after=None,
        )

    def walk(self, label: str, to: PortState = PortState.DONE, **changes: object) -> None:
        """Let a port's job go on, state by state, until it has come to one."""
        for state, count in _WALK:
            mark = "done" if state is PortState.DONE else "begun"
            step = STEPS[count][0] if count < len(STEPS) else ""
            told: dict[str, object] = {"steps": steps(count, mark), "step": step, "percent": None}
            if state is PortState.DONE:
                told |= {"thumbprint": "ab" * 32, "not_after": datetime(2027, 5, 29, tzinfo=UTC)}
            self.port(label, state, **told | (changes if state is to else {}))
            if state is to:
                return

    def fail(self, label: str, trouble: Trouble = REFUSED) -> None:
        """Let a port fail at its ticket."""
        self.port(label, PortState.FAILED, trouble=trouble, steps=steps(2, "failed"), step="")

    def unplug(self, label: str) -> None:
        """Unplug what is at a port."""
        empty = self._empty(label)
        self._views[label] = empty
        self.port(label, PortState.EMPTY)

    def retry(self, label: str) -> None:
        """Try again, and get further."""
        self._take("retry", label)
        self.port(label, PortState.KEY, trouble=None, attempt=2, steps=steps(5, "begun"))

    def skip(self, label: str) -> None:
        """Leave a port out."""
        self._take("skip", label)
        self.port(label, PortState.FAILED, trouble=None, hand="")

    def find(self, label: str, *, on: bool) -> None:
        """Note whose lamp is lit."""
        self._take("light" if on else "dark", label)

    def key_in(self, label: str, pin: str) -> None:
        """Note that there was one, and go on."""
        self._take("pin", label)
        self.pins.append(pin)
        self.port(label, PortState.PUBLISHING, asks="", hand="")

    def scan(self, text: str) -> str:
        """Know one badge."""
        self._take("scan", text)
        if text != "1002":
            raise ScanUnknown("this is no phone and no badge that is known here")
        return "1002 is Bob Example; scan the phone"

    def _take(self, order: str, of: str) -> None:
        if self.refusal:
            raise self.refusal
        self.orders.append((order, of))

    def _empty(self, label: str) -> PortView:
        address = self.map.address_of(label) or label
        return PortView(
            self.map.name, label, f"kernel/{address}", PortState.EMPTY, 0, datetime.now(UTC)
        )


def ago(seconds: float) -> datetime:
    """Return the moment so many seconds ago."""
    return datetime.now(UTC) - timedelta(seconds=seconds)
