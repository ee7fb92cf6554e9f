"""The bench as boards have to do with it: views to show, and hands that carry out what is asked."""

from typing import Protocol

from usbprov.bench.feed import Feed


class Commands(Protocol):
    """What can be asked of the bench. Each call may come from any thread.

    Every one raises ``UsbprovError`` where what is asked means nothing now.
    """

    def retry(self, label: str) -> None:
        """Try a failed port again."""
        ...

    def skip(self, label: str) -> None:
        """Give up the port's job."""
        ...

    def find(self, label: str, *, on: bool) -> None:
        """Light the lamp of the phone at a port, or put it out."""
        ...

    def key_in(self, label: str, pin: str | None) -> None:
        """Take the PIN that a port waits for; None: it is left out."""
        ...

    def scan(self, text: str) -> str:
        """Take what a barcode scanner read; returns what that did, in words."""
        ...


class Controls(Commands, Protocol):
    """The bench with its views."""

    @property
    def feed(self) -> Feed:
        """The views."""
        ...
