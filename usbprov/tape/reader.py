"""Reading a tape: hostile until it was read, bounded, and readable where its writer was killed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from usbprov.errors import BundleInvalid
from usbprov.tape.events import FORMAT, Event, Json, Kind, read_event, text
from usbprov.tape.writer import MAX_TAPE

MAX_EVENTS = 100_000
MAX_BYTES = 2 * MAX_TAPE


@dataclass(frozen=True)
class Tape:
    """A tape that was read.

    Attributes:
        source: Where it comes from, for errors.
        events: All of them, in the order of their times.
        began: When, UTC.
    """

    source: str
    events: tuple[Event, ...]
    began: datetime

    @property
    def run(self) -> Mapping[str, Json]:
        """The order, the device and the version, as the first event has them."""
        return self.events[0].body

    @property
    def cut(self) -> bool:
        """Whether it was full before the job ended."""
        return any(event.kind is Kind.CUT for event in self.events)

    def of_kind(self, *kinds: Kind) -> Iterator[Event]:
        """Yield the events of some kinds."""
        return (event for event in self.events if event.kind in kinds)

    def last(self, kind: Kind) -> Event | None:
        """Return the last event of a kind, or None."""
        return next((e for e in reversed(self.events) if e.kind is kind), None)


def read_tape(data: bytes, source: str) -> Tape:
    """Read a tape; half a line at its end, of a program that was killed, is passed over.

    Raises:
        BundleInvalid: It is too large, not a tape, or of another format.
    """
    if len(data) > MAX_BYTES:
        raise BundleInvalid(source, f"its tape is larger than {MAX_BYTES} bytes")
    *lines, _unfinished = data.split(b"\n", MAX_EVENTS + 1)
    if not lines or len(lines) > MAX_EVENTS:
        raise BundleInvalid(source, "its tape has no line, or too many")
    events = tuple(_event(line, number, source) for number, line in enumerate(lines, 1))
    return Tape(source, events, _began(events[0], source))


def _event(line: bytes, number: int, source: str) -> Event:
    try:
        return read_event(line.decode("utf-8"))
    except ValueError:  # of JSON, UTF-8 and numbers, too
        raise BundleInvalid(source, f"line {number} of its tape cannot be read") from None


def _began(first: Event, source: str) -> datetime:
    if first.kind is not Kind.RUN or first.body.get("format") != FORMAT:
        raise BundleInvalid(source, f"its tape is not of format {FORMAT}")
    try:
        moment = datetime.fromisoformat(text(first.body.get("began")))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BundleInvalid(source, "its tape does not say when it began") from None
