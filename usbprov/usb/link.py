"""The link contract: bytes to and from one opened phone, whatever cable carries them."""

from typing import Protocol


class Link(Protocol):
    """A byte link to one phone, used by one thread at a time.

    Messages are framed by the family's own codec; a link neither knows nor keeps message
    boundaries. All times are in seconds.
    """

    @property
    def name(self) -> str:
        """The phone's place, as it is said in errors: ``phone 1-1.4``."""
        ...

    def write(self, data: bytes, timeout: float) -> None:
        """Send all of ``data`` as one transfer.

        Raises:
            LinkTimeout: The phone did not take it within ``timeout``.
            PhoneGone: The phone vanished.
            LinkBroken: The transfer failed.
        """
        ...

    def read(self, timeout: float) -> bytes:
        """Return the bytes of the next transfer, at least one.

        Raises:
            LinkTimeout: Nothing came within ``timeout``.
            PhoneGone: The phone vanished.
            LinkBroken: The transfer failed.
        """
        ...

    def resync(self) -> None:
        """After a time-out or a broken transfer: make both sides forget what was under way."""
        ...

    def close(self) -> None:
        """Give the phone back; may be called twice."""
        ...
