"""The player: gives a job what its tape has, in the order of the tape, by the tape's clock."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TypeVar, cast

from usbprov.errors import NotOnTape, UsbprovError
from usbprov.tape.events import Event, Json, Kind, text, unpacked
from usbprov.tape.failures import revive_error
from usbprov.tape.ports import Port

T = TypeVar("T")

CABLE = frozenset({Kind.CABLE, Kind.SENT, Kind.RECEIVED})
_PLAYED = CABLE | {Kind.TOLD, Kind.DRAWN}
_LEAST_SHARE = 0.1
"""How much of a wait the tape's clock goes on at least, so that no wait can be without end."""


class Player:
    """One tape, being played. Used by one thread.

    Cable, ports and draws are queues of their own: a job that asks them in another order than
    the tape is still answered.
    """

    def __init__(self, events: Iterable[Event], began: datetime, *, stopped: bool = False) -> None:
        """Prepare.

        Args:
            events: The whole tape.
            began: When it began, UTC.
            stopped: Whether the user stopped the job, so that its end is a Ctrl-C.
        """
        self._began = began
        self._elapsed = 0.0
        self._stopped = stopped
        self._cable: deque[Event] = deque()
        self._told: deque[Event] = deque()
        self._drawn: deque[Event] = deque()
        self._sort(_outermost(events))
        self._openings = sum(map(_opens, self._cable))
        self.left: NotOnTape | None = None
        """Where the job first left the tape, or None."""

    def _sort(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind in CABLE:
                self._cable.append(event)
            elif event.kind is Kind.TOLD:
                self._told.append(event)
            elif event.kind is Kind.DRAWN:
                self._drawn.append(event)

    # --- the clock

    def now(self) -> datetime:
        """Return the moment of what was played last, UTC."""
        return self._began + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds since the tape began."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Let the clock go on, but not past the next event of the tape."""
        ahead = [queue[0].at for queue in (self._cable, self._told, self._drawn) if queue]
        room = min(ahead) - self._elapsed if ahead else seconds
        self._elapsed += max(_LEAST_SHARE * seconds, min(seconds, room))

    def _played(self, event: Event) -> Event:
        self._elapsed = max(self._elapsed, event.at)
        return event

    # --- ports and draws

    def answer(self, port: Port[T]) -> T:
        """Return what a port was told, or raise the error that it was told.

        Raises:
            NotOnTape: Something else was asked then, or nothing any more.
        """
        body = self._next(self._told, port.name, port.key).body
        found = f"{text(body.get('port'))} {text(body.get('key'))}"
        if (body.get("port"), body.get("key")) != (port.name, port.key):
            raise self.departed(port.name, port.key, found)
        error = self._error(body)
        if error is not None:
            raise error
        try:
            return port.revive(body.get("result"))
        except (ValueError, TypeError, AttributeError) as failure:
            problem = f"something unreadable ({type(failure).__name__})"
            raise self.departed(port.name, port.key, problem) from None

    def drawn(self, name: str, size: int) -> bytes:
        """Return the recorded value of a draw.

        Raises:
            NotOnTape: There is none of that name and size.
        """
        body = self._next(self._drawn, "chance", name).body
        try:
            value = unpacked(body.get("value"))
        except ValueError:
            value = None
        fits = isinstance(value, bytes) and size == len(value)
        if not fits or body.get("name") != name:
            raise self.departed("chance", name, text(body.get("name")))
        return cast("bytes", value)

    # --- the cable

    def cable(self, wanted: str) -> Event:
        """Return the next event of the cable and go past it."""
        event = self._next(self._cable, "the cable", wanted)
        self._openings -= _opens(event)
        return event

    def cable_ahead(self) -> Event | None:
        """Return the next event of the cable, or None at the end."""
        return self._cable[0] if self._cable else None

    def opens_again(self) -> bool:
        """Say whether the cable is opened once more."""
        return self._openings > 0

    def fail(self, event: Event) -> None:
        """Raise the error of an event, if it has one."""
        error = self._error(event.body)
        if error is not None:
            raise error

    # ---

    def _error(self, body: Mapping[str, Json]) -> UsbprovError | None:
        document = body.get("error")
        if document is None:
            return None
        try:
            return revive_error(document)
        except ValueError as failure:
            return self.departed("the tape", "an error", str(failure))

    def _next(self, queue: deque[Event], port: str, wanted: str) -> Event:
        if queue:
            return self._played(queue.popleft())
        if self._stopped and not (self._cable or self._told or self._drawn):
            raise KeyboardInterrupt
        raise self.departed(port, wanted, "nothing more")

    def departed(self, port: str, wanted: str, found: str) -> NotOnTape:
        """Return the error of a job that leaves its tape, and remember it."""
        error = NotOnTape(port, wanted, found)
        self.left = self.left or error
        return error


def _opens(event: Event) -> bool:
    return event.kind is Kind.CABLE and event.body.get("op") == "open"


def _outermost(events: Iterable[Event]) -> Iterator[Event]:
    """Yield what is played, without what happened within a question to a port."""
    depth = 0
    for event in events:
        if event.kind is Kind.ASKED:
            depth += 1
        elif event.kind is Kind.TOLD:
            depth = max(0, depth - 1)
        if depth == 0 and event.kind in _PLAYED:
            yield event
