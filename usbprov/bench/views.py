"""What the boards show: one immutable view a port and one of the whole bench, and their feed.

Every change makes a new view with a higher number. Whoever subscribes gets the latest of each
port first, then what changes: a board that was reloaded or cut off loses nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from usbprov.bench.states import MAY_UNPLUG, PortState


@dataclass(frozen=True)
class Trouble:
    """Why a port failed.

    Attributes:
        code: The error's stable code.
        what: What happened, in a line.
        cause: The most likely cause.
        remedy: What to do.
        retryable: Whether the bench tries again by itself.
    """

    code: str
    what: str
    cause: str
    remedy: str
    retryable: bool


@dataclass(frozen=True)
class StepView:
    """One step of the port's job: name, mark (``done``, ``skipped``, ``failed``, ``begun``), ms."""

    name: str
    mark: str
    ms: int
    learnt: str


@dataclass(frozen=True)
class PortView:
    """A port as the boards show it.

    Attributes:
        bench: The bench's name.
        label: What the operator calls the port: ``A3``.
        address: Bus and port path: ``kernel/1-1.4.2``.
        state: What it is doing.
        number: Grows with each change of the bench.
        since: When it came into this state, UTC.
        phone: Model, or "" while nothing is known.
        serial: The phone's serial number, or "".
        mac: Its MAC address, or "".
        user: SIP URI of whom it is for, or "".
        name: The user's display name, or the extension, or "".
        step: The step under way, or "".
        percent: How far that step is, or None.
        attempt: Which attempt at the job this is, from 1.
        job: Its number in the ledger, or None.
        hand: What a hand must do at this phone now ("scan the badge"), or "".
        asks: What is to be keyed in at a board, unseen ("PIN of Alice (1001)"), or "".
        thumbprint: SHA-256 of the certificate, once there is one.
        not_after: Its end, UTC.
        trouble: Why it failed, or what is being retried; None while all goes well.
        steps: The steps of the job so far, for whoever asks for details.
    """

    bench: str
    label: str
    address: str
    state: PortState
    number: int
    since: datetime
    phone: str = ""
    serial: str = ""
    mac: str = ""
    user: str = ""
    name: str = ""
    step: str = ""
    percent: int | None = None
    attempt: int = 1
    job: int | None = None
    hand: str = ""
    asks: str = ""
    thumbprint: str = ""
    not_after: datetime | None = None
    trouble: Trouble | None = None
    steps: tuple[StepView, ...] = field(default=())

    def changed(self, changes: Mapping[str, Any]) -> "PortView":
        """Return the view with other fields; ``dataclasses.replace`` takes five times as long.

        Raises:
            TypeError: There is no such field.
        """
        if not changes.keys() <= _FIELDS:
            raise TypeError(f"not of a port's view: {', '.join(changes.keys() - _FIELDS)}")
        view = object.__new__(PortView)
        view.__dict__.update(self.__dict__, **changes)
        return view

    @property
    def may_unplug(self) -> bool:
        """Whether the cable may be pulled now."""
        return self.state in MAY_UNPLUG


_FIELDS = frozenset(field.name for field in fields(PortView))


@dataclass(frozen=True)
class BenchView:
    """The whole bench.

    Attributes:
        number: Grows with each change.
        name: The bench's name.
        started: When the shift began, UTC.
        roster: How many users are to be served.
        done: How many are, in this roster, on all benches.
        failed: How many phones stand failed now.
        running: How many jobs are under way.
        per_hour: Phones an hour over the last quarter of an hour, or None at first.
        left: Seconds that the rest will take at that rate, or None.
        absent: Why another bench does not run, in words; "" while it does.
    """

    number: int
    name: str
    started: datetime
    roster: int
    done: int
    failed: int
    running: int
    per_hour: float | None = None
    left: float | None = None
    absent: str = ""
