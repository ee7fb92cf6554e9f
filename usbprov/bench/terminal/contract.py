"""What a board needs of the bench: views to show, and hands that carry out what is asked."""

from collections.abc import Sequence
from typing import Protocol

from usbprov.bench.views import BenchView, PortView

View = PortView | BenchView


class Subscription(Protocol):
    """Views as they come; a reader that is slow gets the newest of each port only."""

    def next(self, timeout: float) -> Sequence[View]:
        """Return what is new, at once if there is anything; nothing after ``timeout`` seconds."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Feed(Protocol):
    """Where views come from."""

    def subscribe(self) -> Subscription:
        """Begin with the latest view of everything."""
        ...


class Controls(Protocol):
    """The bench, as far as a board has to do with it. Each call may come from any thread."""

    @property
    def feed(self) -> Feed:
        """The views."""
        ...

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
        """Take the PIN that a port waits for; None: it is left out.

        Raises:
            UsbprovError: None is waited for there any more, or it is none.
        """
        ...

    def scan(self, text: str) -> str:
        """Take what a barcode scanner read; returns what that did, in words.

        Raises:
            UsbprovError: It means nothing here.
        """
        ...
