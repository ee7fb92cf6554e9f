"""Errors of the lab and its emulated phones."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class LabError(UsbprovError):
    """Raised when the lab server or its emulated phones cannot run."""


@dataclass(eq=False)
class LabUnusable(LabError):
    """Raised when the lab's folder, ports or users file cannot be used."""

    problem: str
    code: ClassVar = "LAB-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the lab cannot be used: {problem}"
    cause: ClassVar = "The folder holds no lab, a port is taken, or the users file is wrong."
    remedy: ClassVar = "Start one with `usbprov lab up --dir DIR`, and give the same --dir to the other lab commands."


@dataclass(eq=False)
class LabDependencyMissing(LabError):
    """Raised when a library of the `lab` extra is not installed."""

    library: str
    code: ClassVar = "LAB-02"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the lab needs the Python package {library}"
    cause: ClassVar = "usbprov was installed without its lab extra."
    remedy: ClassVar = "Install usbprov[lab]."


@dataclass(eq=False)
class GadgetUnusable(LabError):
    """Raised when the emulated phone cannot be put on this computer's USB device port."""

    problem: str
    fix: str
    code: ClassVar = "LAB-03"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "no phone on a USB device port: {problem}. {fix}."
    cause: ClassVar = (
        "It takes Linux, root, a kernel with USB gadgets, and a port that can be a device's."
    )
    remedy: ClassVar = "Do what the message says; docs/gadget.md goes through all that is needed."
