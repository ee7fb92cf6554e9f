"""The operator: plugs phones in, pulls those that are done, and now and then one too early."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from usbprov.bench.states import PortState

_GONE = {PortState.EMPTY, PortState.AWAY}
"""What a port without a phone shows."""


class Cable(Protocol):
    """A phone on its cable."""

    @property
    def serial(self) -> str:
        """Its serial number."""
        ...

    def plug(self, path: str) -> None:
        """Plug it in."""
        ...

    def pull(self) -> None:
        """Pull it out."""
        ...

    def put_away(self, said: "Staged | None") -> str:
        """Put it away for good; returns in what it differs from what the bench said of it."""
        ...


@dataclass(frozen=True)
class Habits:
    """How the operator works. Times in seconds.

    Attributes:
        every: Between two fresh phones.
        early: The share of the phones that are pulled early, once.
        early_within: They are pulled at a random moment within this time.
        back_within: And put back, at any port, within this one.
        dwell: A phone that is done, or has failed, is pulled within this time.
    """

    every: float = 2.0
    early: float = 0.12
    early_within: float = 10.0
    back_within: float = 4.0
    dwell: float = 8.0


@dataclass(frozen=True)
class Held:
    """A phone, and when it is to be pulled early (None: not at all), by the monotonic clock."""

    cable: Cable
    early: float | None = None


@dataclass
class _Port:
    """A port: the phone in it, what the bench shows of it, and since when all that is so."""

    path: str
    since: float
    held: Held | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    due: float | None = None

    @property
    def state(self) -> str:
        state: str = self.shown.get("state", PortState.EMPTY)
        return state

    @property
    def at_work(self) -> bool:
        return self.state not in {*_GONE, PortState.DONE, PortState.FAILED}

    @property
    def ended(self) -> bool:
        """Whether the phone in it is done or has failed: this one, not the one before it."""
        if self.held is None or self.shown.get("serial") not in {self.held.cable.serial, ""}:
            return False
        return self.state in {PortState.DONE, PortState.FAILED}

    def age(self, now: float) -> float:
        """Return how long nothing has changed here, though something should."""
        at_rest = self.held is None and self.state == PortState.EMPTY
        return 0.0 if at_rest else now - self.since


@dataclass(frozen=True)
class Staged:
    """What the bench said of a phone that was done: its user and certificate (SHA-256)."""

    user: str
    thumbprint: str


@dataclass
class Shift:
    """What has come of the phones so far.

    Attributes:
        fresh: Fresh phones that were plugged in.
        pulled: Phones that were pulled early.
        done: Those that were shown as done, by serial number.
        failed: The code of those that failed, by serial number.
        problems: What must not be, in words.
    """

    fresh: int = 0
    pulled: int = 0
    done: dict[str, Staged] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Hands:
    """Moves the phones. ``take`` may be called from another thread than the rest."""

    def __init__(
        self,
        paths: Sequence[str],
        fresh: Callable[[], Cable],
        habits: Habits,
        chance: random.Random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with empty ports.

        Args:
            paths: The port paths.
            fresh: Makes another phone.
            habits: How often what is done.
            chance: Decides.
            clock: Of seconds.
        """
        self.shift = Shift()
        self._clock = clock
        self._ports = {path: _Port(path, clock()) for path in paths}
        self._fresh = fresh
        self._habits = habits
        self._chance = chance
        self._lock = threading.Lock()
        self._next = self._clock()
        self._aside: list[tuple[float, Held]] = []

    def take(self, view: dict[str, Any]) -> None:
        """Look at what the bench shows of a port."""
        with self._lock:
            port = self._ports[view["label"]]
            if view["state"] != port.state or view["serial"] != port.shown.get("serial"):
                port.since, port.due = self._clock(), None
            port.shown = view
            if view["state"] == PortState.DONE:
                self._note_done(view)

    def turn(self, *, more: bool) -> None:
        """Do what is due; fresh phones are plugged in only with ``more``."""
        with self._lock:
            now = self._clock()
            for port in self._ports.values():
                self._look_at(port, now)
            self._put_back(now)
            if more and now >= self._next and (free := self._free()):
                self._next = max(self._next + self._habits.every, now)
                self.shift.fresh += 1
                self._plug(free, Held(self._fresh(), self._early(now)), now)

    @property
    def idle(self) -> bool:
        """Whether no phone is plugged in or aside, and every port is shown as empty."""
        with self._lock:
            empty = all(p.held is None and p.state == PortState.EMPTY for p in self._ports.values())
            return empty and not self._aside

    def counts(self) -> tuple[int, int]:
        """Return how many ports have a phone in them, and how many are in a working state."""
        with self._lock:
            ports = self._ports.values()
            return sum(p.held is not None for p in ports), sum(p.at_work for p in ports)

    def oldest(self) -> tuple[float, str]:
        """Return how long nothing has changed where that is longest, and where that is."""
        with self._lock:
            now = self._clock()
            port = max(self._ports.values(), key=lambda port: port.age(now))
            return port.age(now), f"{port.path} {port.state}"

    # --- with the lock held

    def _look_at(self, port: _Port, now: float) -> None:
        held = port.held
        if held is None:
            return
        if port.ended:
            if port.due is None:
                port.due = now + self._chance.uniform(0, self._habits.dwell)
            elif now >= port.due:
                self._part(port, held, now)
        elif held.early is not None and now >= held.early:
            self.shift.pulled += 1
            self._pull(port, held, now)
            back = now + self._chance.uniform(0, self._habits.back_within)
            self._aside.append((back, Held(held.cable)))

    def _part(self, port: _Port, held: Held, now: float) -> None:
        serial = held.cable.serial
        if port.state == PortState.FAILED:
            self.shift.failed[serial] = port.shown["trouble"]["code"]
        self._pull(port, held, now)
        wrong = held.cable.put_away(self.shift.done.get(serial))
        if wrong:
            self.shift.problems.append(f"{serial}: {wrong}")

    def _put_back(self, now: float) -> None:
        for entry in list(self._aside):
            back, held = entry
            if now >= back and (port := self._free()):
                self._aside.remove(entry)
                self._plug(port, held, now)

    def _free(self) -> _Port | None:
        free = [p for p in self._ports.values() if p.held is None and p.state in _GONE]
        return self._chance.choice(free) if free else None

    def _early(self, now: float) -> float | None:
        if self._chance.random() >= self._habits.early:
            return None
        return now + self._chance.uniform(0, self._habits.early_within)

    def _plug(self, port: _Port, held: Held, now: float) -> None:
        held.cable.plug(port.path)
        port.held, port.since, port.due = held, now, None

    def _pull(self, port: _Port, held: Held, now: float) -> None:
        held.cable.pull()
        port.held, port.since, port.due = None, now, None

    def _note_done(self, view: dict[str, Any]) -> None:
        staged = Staged(view["user"], view["thumbprint"])
        before = self.shift.done.setdefault(view["serial"], staged)
        if before != staged:
            problem = f"{view['serial']}: was done as {before}, and now as {staged}"
            self.shift.problems.append(problem)
