"""Faults of an emulated device, which can be switched while it runs.

A fault stands in a table and changes what passes an endpoint: OUT transfers as they come in, IN
transfers as the function sends them, control transfers as they are answered. Two more are about
the device as a whole: it can be pulled after a number of bytes, and it can lie in its
descriptors.
"""

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from usbprov.usbip import Direction, TransferStatus


class Effect(Enum):
    """What a fault does to a transfer."""

    STALL = "stall"
    """Halts the endpoint until the host clears it; a control request is just refused."""
    DELAY = "delay"
    """Takes ``seconds`` longer. Late data come out of a later read."""
    SHORT = "short"
    """Cuts the data to ``length`` bytes."""
    GARBAGE = "garbage"
    """Replaces the data by as many random bytes, from ``seed``."""
    BABBLE = "babble"
    """Sends more than a packet may hold: the host sees an overflow (OUT: an overflow, too)."""
    DROP = "drop"
    """OUT: accepted and thrown away. IN and control: never answered."""


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        effect: What happens.
        endpoint: Address with the direction bit; 0 is the control endpoint.
        request: For the control endpoint: only this bRequest; None for every one.
        times: How often it happens; None for until it is removed.
        seconds: For DELAY.
        length: For SHORT, in bytes.
        seed: For GARBAGE.
    """

    effect: Effect
    endpoint: int = 0
    request: int | None = None
    times: int | None = None
    seconds: float = 0.0
    length: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What has become of a transfer.

    Attributes:
        data: The data, as the faults left them.
        status: OK or OVERFLOW.
        seconds: How long it is put off.
        dropped: True when it is lost.
    """

    data: bytes = field(repr=False)
    status: int = TransferStatus.OK
    seconds: float = 0.0
    dropped: bool = False


class Cut(Enum):
    """Where the cable is pulled, with regard to the transfer at hand."""

    NOT = 0
    WITHIN = 1
    AFTER = 2


def _delay(fault: Fault, outcome: Outcome) -> Outcome:
    return replace(outcome, seconds=outcome.seconds + fault.seconds)


def _short(fault: Fault, outcome: Outcome) -> Outcome:
    return replace(outcome, data=outcome.data[: fault.length])


def _garbage(fault: Fault, outcome: Outcome) -> Outcome:
    noise = random.Random(fault.seed).randbytes(len(outcome.data))  # noqa: S311
    return replace(outcome, data=noise)


def _babble(_fault: Fault, outcome: Outcome) -> Outcome:
    return replace(outcome, status=TransferStatus.OVERFLOW)


def _drop(_fault: Fault, outcome: Outcome) -> Outcome:
    return replace(outcome, dropped=True)


_EFFECTS: Mapping[Effect, Callable[[Fault, Outcome], Outcome]] = {
    Effect.DELAY: _delay,
    Effect.SHORT: _short,
    Effect.GARBAGE: _garbage,
    Effect.BABBLE: _babble,
    Effect.DROP: _drop,
}

Descriptors = Callable[[int, int, bytes], bytes | None]
"""Takes type, index and true bytes of a descriptor; returns those to send, or None to stall."""


def _honest(_kind: int, _index: int, true: bytes) -> bytes | None:
    return true


class Faults:
    """The table of one device. Thread-safe; empty at first.

    Attributes:
        descriptor: Asked for every descriptor that the device has.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.descriptor: Descriptors = _honest
        self._changed = changed
        self._lock = threading.Lock()
        self._active: list[tuple[Fault, list[int]]] = []
        self._budget: dict[Direction, int | None] = dict.fromkeys(Direction)

    def add(self, fault: Fault) -> None:
        """Switch a fault on, from the next transfer; a STALL also for requests that wait."""
        with self._lock:
            self._active.append((fault, [0]))
        self._changed()

    def remove(self, fault: Fault) -> None:
        """Switch a fault off; nothing happens when it is not, or no longer, on."""
        with self._lock:
            self._active = [row for row in self._active if row[0] != fault]

    def clear(self) -> None:
        """Make the device whole again."""
        with self._lock:
            self._active.clear()
            self._budget = dict.fromkeys(Direction)
        self.descriptor = _honest

    def unplug_after(self, count: int, direction: Direction) -> None:
        """Have the cable pulled once ``count`` more bytes have passed in a direction.

        Control transfers do not count. A transfer that ends with the last of the bytes is
        carried out; one that goes beyond is lost.
        """
        with self._lock:
            self._budget[direction] = count

    def stalls(self, endpoint: int, request: int | None = None) -> bool:
        """Say whether a request to the endpoint is to be stalled."""
        return any(f.effect is Effect.STALL for f in self._hits(endpoint, request, stall=True))

    def apply(self, endpoint: int, data: bytes, request: int | None = None) -> Outcome:
        """Return what becomes of a transfer by all faults on but STALL."""
        outcome = Outcome(data)
        if self._active:
            for fault in self._hits(endpoint, request, stall=False):
                outcome = _EFFECTS[fault.effect](fault, outcome)
        return outcome

    def spend(self, direction: Direction, count: int) -> tuple[Cut, int]:
        """Count ``count`` bytes; say where the cable is pulled, and how many bytes still pass."""
        with self._lock:
            left = self._budget[direction]
            if left is None:
                return Cut.NOT, count
            if count > left:
                self._budget[direction] = None
                return Cut.WITHIN, left
            self._budget[direction] = left - count or None
            return (Cut.AFTER if count == left else Cut.NOT), count

    def _hits(self, endpoint: int, request: int | None, *, stall: bool) -> list[Fault]:
        if not self._active:
            return []
        with self._lock:
            hits = []
            for row in self._active:
                fault, used = row
                wanted = (fault.effect is Effect.STALL) is stall and fault.endpoint == endpoint
                if wanted and fault.request in (None, request):
                    used[0] += 1
                    hits.append(fault)
            self._active = [r for r in self._active if r[0].times is None or r[1][0] < r[0].times]
            return hits
