"""The contract of a function: what a device does behind one interface."""

from collections.abc import Callable
from typing import Protocol

Send = Callable[[bytes], None]
"""Queues one IN transfer for the host; called from any thread, never blocks."""


class Function(Protocol):
    """What a device does behind one interface: transfers in, transfers out."""

    def connect(self, send: Send) -> None:
        """Take the way to the host; called when the host configures the device, maybe again."""
        ...

    def receive(self, data: bytes) -> None:
        """Take one whole OUT transfer, as a short packet ended it; must not block for long."""
        ...

    def reset(self) -> None:
        """Forget what is under way: a bus reset, a resynchronisation, or the host has gone."""
        ...
