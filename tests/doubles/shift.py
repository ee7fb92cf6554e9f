"""A shift at a bench that there is not: views as a bench would tell them, always the same ones."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from usbprov.bench.feed import Feed, View
from usbprov.bench.states import PortState
from usbprov.bench.views import BenchView, PortView, StepView, Trouble
from usbprov.errors import NoSuchPhone, NotNow

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

BUSY = Trouble("WEB-10", "pool01.contoso.test is busy", "Too many calls.", "Nothing.", True)
REFUSED = Trouble(
    "WEB-05",
    "pool01.contoso.test refuses the PIN of extension 1017",
    "The PIN is not the user's, or has run out.",
    "Have the PIN set anew, then choose this port and press Ctrl-R.",
    False,
)
NAMES = ("Ada Byron", "Béla Bartók", "Chen Li 陳立", "Dörte Größe", "Eve O'Neill", "Farid Aziz")

_JOB = (
    (PortState.PLUGGED, "", 0.2),
    (PortState.IDENTIFYING, "identify", 0.6),
    (PortState.KEY, "key", 5.0),
    (PortState.PUBLISHING, "publish", 1.5),
    (PortState.INSTALLING, "install", 2.0),
    (PortState.PROVING, "sign in", 0.8),
)


def port(label: str = "A1", state: PortState = PortState.EMPTY, **more: object) -> PortView:
    """A port's view; what is not said is that of a bench that has just begun."""
    facts = {"bench": "bench-1", "address": f"kernel/1-1.{label}", "number": 1, "since": START}
    return PortView(**(facts | {"label": label, "state": state} | more))  # type: ignore[arg-type]


def bench(**more: object) -> BenchView:
    """The bench's view, in the middle of a shift."""
    facts = {"number": 1, "name": "bench-1", "started": START, "roster": 64, "done": 37}
    return BenchView(**(facts | {"failed": 2, "running": 9} | more))  # type: ignore[arg-type]


def label_of(at: int) -> str:
    """A1 … A16, B1 …"""
    return f"{chr(ord('A') + at // 16)}{at % 16 + 1}"


@dataclass
class _Bench:
    """Counts while a shift is made up."""

    roster: int
    number: int = 0
    states: dict[str, tuple[PortState, datetime]] = field(default_factory=dict)
    moments: list[tuple[float, View]] = field(default_factory=list)

    def tell(self, at: float, view: PortView) -> PortView:
        self.number += 1
        state, since = self.states.get(view.label, (None, START))
        if state is not view.state:
            since = START + timedelta(seconds=at)
            self.states[view.label] = (view.state, since)
        told = replace(view, number=self.number, since=since)
        self.moments.append((at, told))
        return told


def shift(ports: int = 64, *, seed: int = 1, seconds: float = 90.0) -> list[tuple[float, View]]:
    """A shift as (seconds from its start, view), in order: each port takes phone after phone."""
    made = _Bench(roster=ports * 3)
    chance = random.Random(seed)  # noqa: S311 - nothing secret about it
    for at in range(ports):
        _port_shift(made, label_of(at), chance, seconds)
    made.moments.sort(key=lambda moment: moment[0])
    return _with_sums(made)


def _port_shift(made: _Bench, label: str, chance: random.Random, seconds: float) -> None:
    view = port(label)
    made.tell(0, view)
    at = chance.uniform(0.5, 25)
    while at < seconds:
        at = _phone(made, view, at, chance)


def _phone(made: _Bench, view: PortView, at: float, chance: random.Random) -> float:
    """One phone from plugging to unplugging; returns when the port is free again."""
    serial = f"{chance.randrange(16**8):08X}"
    view = replace(
        view,
        phone="EP-100",
        serial=serial,
        mac=f"64:16:7F:{serial[:2]}:{serial[2:4]}:{serial[4:6]}",
        name=chance.choice(NAMES),
        user=f"sip:user{chance.randrange(999)}@contoso.test",
        job=chance.randrange(1, 5000),
    )
    fate = chance.random()
    steps: tuple[StepView, ...] = ()
    for state, step, lasts in _JOB:
        view = replace(view, state=state, step=step, percent=None, trouble=None, hand="")
        if state is PortState.KEY and fate < 0.06:
            waiting = replace(view, state=PortState.WAITING, hand="scan the badge")
            made.tell(at, waiting)
            at += chance.uniform(4, 15)
        length = lasts * chance.uniform(0.7, 1.6)
        if state is PortState.PUBLISHING and 0.06 < fate < 0.12:
            made.tell(at, replace(view, attempt=2, trouble=BUSY, steps=steps))
            at += chance.uniform(1, 4)
        if state is PortState.PUBLISHING and 0.12 < fate < 0.16:
            made.tell(at, replace(view, state=PortState.FAILED, trouble=REFUSED, steps=steps))
            return at + chance.uniform(20, 60)
        if state is PortState.INSTALLING and 0.16 < fate < 0.19:
            made.tell(at, replace(view, state=PortState.AWAY, step="install", steps=steps))
            at += chance.uniform(2, 20)
        for percent in range(0, 100, 20) if lasts > 1 else [None]:
            part = replace(view, percent=percent, steps=steps)
            made.tell(at + length * (percent or 0) / 100, part)
        at += length
        steps += (StepView(step, "done", int(length * 1000), "as it should be"),) if step else ()
    end = replace(view, state=PortState.DONE, step="", percent=None, steps=steps)
    made.tell(at, replace(end, thumbprint="ab" * 32, not_after=START + timedelta(days=180)))
    at += chance.uniform(1, 12)
    made.tell(at, port(view.label))
    return at + chance.uniform(1, 8)


def _with_sums(made: _Bench) -> list[tuple[float, View]]:
    """Put the bench's own views between."""
    last: dict[str, PortState] = {}
    done = 0
    moments: list[tuple[float, View]] = []
    for number, (at, view) in enumerate(made.moments):
        assert isinstance(view, PortView)
        done += view.state is PortState.DONE
        last[view.label] = view.state
        moments.append((at, replace(view, number=number * 2)))
        states = list(last.values())
        idle = {PortState.EMPTY, PortState.DONE, PortState.FAILED}
        rate = done * 3600 / at if at > 10 and done else None
        sums = BenchView(
            number * 2 + 1,
            "bench-1",
            START,
            made.roster,
            min(done, made.roster),
            states.count(PortState.FAILED),
            sum(state not in idle for state in states),
            rate,
            (made.roster - done) * 3600 / rate if rate else None,
        )
        moments.append((at, sums))
    return moments


class BenchDouble:
    """A bench that notes what it is asked for."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.asked: list[tuple[object, ...]] = []
        self.pins: list[tuple[str, str | None]] = []

    def retry(self, label: str) -> None:
        self.asked.append(("retry", label))

    def skip(self, label: str) -> None:
        self.asked.append(("skip", label))

    def find(self, label: str, *, on: bool) -> None:
        self.asked.append(("find", label, on))

    def key_in(self, label: str, pin: str | None) -> None:
        """Take the first answer; the port then waits no more."""
        ports = (view for view in self.feed.latest() if isinstance(view, PortView))
        view = next((port for port in ports if port.label == label and port.asks), None)
        if view is None:
            raise NotNow(label, "key in a PIN", "publishing")
        self.pins.append((label, pin))
        self.feed.publish(replace(view, number=view.number + 1, asks="", hand=""))

    def scan(self, text: str) -> str:
        self.asked.append(("scan", text))
        if text == "unknown":
            raise NoSuchPhone(text, ())
        return f"{text} is taken."


class Player:
    """Publishes a shift as time goes by, ``speed`` times as fast as it was."""

    def __init__(self, feed: Feed, moments: Sequence[tuple[float, View]], speed: float = 1) -> None:
        self._feed = feed
        self._moments = iter(moments)
        self._speed = speed
        self._stop = threading.Event()
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _play(self) -> None:
        began = time.monotonic()
        for at, view in self._now(self._moments):
            left = began + at / self._speed - time.monotonic()
            if self._stop.wait(max(left, 0)):
                return
            self._feed.publish(view)
        self.ended.set()

    def _now(self, moments: Iterator[tuple[float, View]]) -> Iterator[tuple[float, View]]:
        """Let the shift begin now: a board shows for how long things have lasted."""
        began = datetime.now(UTC)
        for at, view in moments:
            if isinstance(view, PortView):
                since = began + (view.since - START) / self._speed
                yield at, replace(view, since=since)
            else:
                yield at, replace(view, started=began)
