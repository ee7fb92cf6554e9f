"""The tap: what a family knows of its own bytes, so that they can be recorded and played again.

A driver that has ``tap`` is recorded message by message; without it only sizes are, since nobody
else knows which bytes are secret, and such a job cannot be replayed.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from usbprov.tape.events import Json
from usbprov.usb.devices import LinkKind

Note = Mapping[str, object]
"""One message, described without its secrets, in what ``usbprov.tape.events.packed`` can write."""


class Tap(Protocol):
    """Follows one opened cable, both ways. It must not raise on any bytes."""

    def sent(self, data: bytes) -> Sequence[Note]:
        """Return the messages that end in these bytes to the phone."""
        ...

    def received(self, data: bytes) -> Sequence[Note]:
        """Return the messages that end in these bytes from the phone."""
        ...

    def resync(self) -> None:
        """Forget an incomplete message: both sides begin anew."""
        ...

    def matches(self, recorded: Mapping[str, Json], sent: Note) -> bool:
        """Say whether a message sent in a replay is the recorded one, and pair the two."""
        ...

    def answer(self, recorded: Mapping[str, Json]) -> bytes:
        """Return the bytes of a recorded message from the phone, as it answers the last pair.

        What was removed becomes zeros, and what depends on the question (sequence numbers,
        echoes, digests of what was removed) is made to fit. Raises ``ValueError``.
        """
        ...


@runtime_checkable
class TappedDriver(Protocol):
    """A driver whose cable can be recorded message by message."""

    def tap(self, kind: LinkKind) -> Tap:
        """Return a tap for a cable that was just opened."""
        ...
