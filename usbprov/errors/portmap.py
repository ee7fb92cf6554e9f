"""Errors of a bench's map of its ports."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class PortMapError(UsbprovError):
    """Raised when the map of a bench's ports cannot be used or kept."""

    path: str


@dataclass(eq=False)
class PortMapInvalid(PortMapError):
    """Raised when the map of ports cannot be read, or contradicts itself."""

    problem: str
    code: ClassVar = "MAP-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the port map {path} cannot be used: {problem}"
    cause: ClassVar = (
        "The file is not TOML, has a key that is not known, or names a port or a label twice."
    )
    remedy: ClassVar = "Correct it by hand (docs/roster.md shows one), or learn it anew with `usbprov bench map --new`."


@dataclass(eq=False)
class PortMapNotSaved(PortMapError):
    """Raised when the map of ports cannot be written; the old file is as it was."""

    reason: str
    code: ClassVar = "MAP-02"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the port map {path} was not saved: {reason}"
    cause: ClassVar = "The disk is full, or the folder cannot be written to."
    remedy: ClassVar = "Make room, or name another file with --map."
