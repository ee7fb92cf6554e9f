"""What the board needs of the bench: views, hands that carry out what is asked, and a layout."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from usbprov.bench.portmap import HubLayout
from usbprov.bench.views import BenchView, PortView

View = PortView | BenchView

Layout = Callable[[Iterable[str]], Sequence[HubLayout]]
"""Says how hubs lie, given the addresses that have been seen: ``PortMap.layout``."""


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


class Commands(Protocol):
    """The bench, as far as the board has to do with it. Each call may come from any thread.

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

    def key_in(self, label: str, pin: str) -> None:
        """Take the PIN that a port waits for."""
        ...

    def scan(self, text: str) -> str:
        """Take what a barcode scanner read; returns what that did, in words."""
        ...
