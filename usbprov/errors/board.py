"""Errors of the board on the web."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class BoardError(UsbprovError):
    """Raised when the board cannot be shown on the web."""


@dataclass(eq=False)
class BoardUnusable(BoardError):
    """Raised when the board cannot be served at the address that was asked for."""

    address: str
    reason: str
    code: ClassVar = "BRD-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the board cannot be served at {address}: {reason}"
    cause: ClassVar = "Another program has that port, or this computer has no such address."
    remedy: ClassVar = "Give another port with --board; 0 takes one that is free."


@dataclass(eq=False)
class BoardDependencyMissing(BoardError):
    """Raised when a library of the `web` extra is not installed."""

    library: str
    code: ClassVar = "BRD-02"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the board needs the Python package {library}"
    cause: ClassVar = "usbprov was installed without its web extra."
    remedy: ClassVar = "Install usbprov[web]."
