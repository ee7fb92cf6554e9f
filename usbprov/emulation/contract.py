"""The contracts of the device side: what a function does, and how a family makes phones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from usbprov.emulation.device import UsbDevice

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


@dataclass(frozen=True)
class PhoneSpec:
    """How an emulated phone is to be made.

    Attributes:
        index: From 1; gives serial number and MAC, so that they are stable from run to run.
        state: File in which the phone keeps what survives a power cut.
        roots: Root certificates (DER) of the factory's trust store.
        personality: Options by name, from ``Emulator.personalities``; the value is "" for a
            plain switch.
    """

    index: int
    state: Path
    roots: tuple[bytes, ...] = ()
    personality: Mapping[str, str] = field(default_factory=dict)


class Emulator(Protocol):
    """What a family registers under the entry-point group ``usbprov.emulators``."""

    @property
    def family(self) -> str:
        """The family's short name: ``smp``."""
        ...

    @property
    def personalities(self) -> Mapping[str, str]:
        """The options by name, with one line each on what they do and what value they take."""
        ...

    def make(self, spec: PhoneSpec) -> "UsbDevice":
        """Make a phone, or bring one back as its state file left it.

        Raises:
            LabUnusable: The personality has an unknown name or value.
        """
        ...
