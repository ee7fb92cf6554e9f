"""The contract of a family's emulator: how it makes phones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from usbprov.emulation.device import UsbDevice


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

    def make(self, spec: PhoneSpec) -> UsbDevice:
        """Make a phone, or bring one back as its state file left it.

        Raises:
            LabUnusable: The personality has an unknown name or value.
        """
        ...
