"""Errors of the cable: a phone cannot be found or talked to."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class UsbError(UsbprovError):
    """Raised when a phone cannot be found or talked to over USB."""

    exit_code: ClassVar = ExitCode.PHONE


@dataclass(eq=False)
class NoPhone(UsbError):
    """Raised when no phone is attached to any of the buses searched."""

    buses: str
    code: ClassVar = "USB-01"
    template: ClassVar = "no phone is attached (searched: {buses})"
    cause: ClassVar = "The cable is not in, the phone is off or still booting, or it is on a bus that was not searched."
    remedy: ClassVar = "Plug the phone in and wait for it to boot; name another bus with --bus; `usbprov list` shows what is seen."


@dataclass(eq=False)
class NoSuchPhone(UsbError):
    """Raised when the selector names none of the attached phones."""

    selector: str
    attached: tuple[str, ...]
    code: ClassVar = "USB-02"
    template: ClassVar = "no attached phone matches {selector!r}"
    cause: ClassVar = (
        "The phone is at another port, or its serial number or MAC is written differently."
    )
    remedy: ClassVar = "Choose one of the attached phones: a port path (1-1.4.2), serial:… or mac:…"


@dataclass(eq=False)
class AmbiguousPhone(UsbError):
    """Raised when more than one attached phone fits, and the job must be for exactly one."""

    selector: str
    attached: tuple[str, ...]
    code: ClassVar = "USB-03"
    template: ClassVar = "{selector} fits more than one attached phone"
    cause: ClassVar = "Several phones are attached and none, or not exactly one, was named."
    remedy: ClassVar = "Name one by its port path (1-1.4.2), serial:… or mac:…"


@dataclass(eq=False)
class BusUnavailable(UsbError):
    """Raised when a bus cannot be searched: no libusb, no such line, or an exporter not reached."""

    bus: str
    reason: str
    code: ClassVar = "USB-04"
    retryable: ClassVar = True
    template: ClassVar = "bus {bus} cannot be searched: {reason}"
    cause: ClassVar = "The exporter is not running or listens elsewhere, this host has no usable libusb, or the serial line has another name or is not plugged in."
    remedy: ClassVar = "Check the --bus address, and that the exporter runs or the line is there; `usbprov lab up` prints the address of its phones."


@dataclass(eq=False)
class PhoneBusy(UsbError):
    """Raised when another program, or another usbprov, holds the phone."""

    phone: str
    holder: str = "another program"
    code: ClassVar = "USB-05"
    retryable: ClassVar = True
    template: ClassVar = "{phone} is in use by {holder}"
    cause: ClassVar = "Another program has the phone open; only one at a time may."
    remedy: ClassVar = "Let it finish, or stop it, then repeat."


@dataclass(eq=False)
class AccessDenied(UsbError):
    """Raised when the operating system refuses to open the phone's device node."""

    phone: str
    code: ClassVar = "USB-06"
    template: ClassVar = "no permission to open {phone}"
    cause: ClassVar = (
        "The udev rule is not installed, or this session (SSH, container, service) has no seat."
    )
    remedy: ClassVar = "`usbprov check host` says which of these it is and what to do; on Linux, `usbprov udev install` (as root) installs the rules."


@dataclass(eq=False)
class PhoneGone(UsbError):
    """Raised when the phone vanishes from the bus while it is in use."""

    phone: str
    code: ClassVar = "USB-07"
    retryable: ClassVar = True
    template: ClassVar = "{phone} was unplugged or lost power"
    cause: ClassVar = "The cable was pulled, the hub lost power, or the phone restarted."
    remedy: ClassVar = (
        "Plug the phone in again and repeat the command: the job goes on where it stopped."
    )


@dataclass(eq=False)
class LinkTimeout(UsbError):
    """Raised when the phone does not answer a command within the command's time limit."""

    phone: str
    command: str
    seconds: float
    code: ClassVar = "USB-08"
    retryable: ClassVar = True
    template: ClassVar = "{phone} did not answer {command} within {seconds:g} s"
    cause: ClassVar = "The phone is busy, hung, or its firmware does not know the command."
    remedy: ClassVar = "Repeat; if it happens again, restart the phone and look at its firmware version with `usbprov info`."


@dataclass(eq=False)
class LinkBroken(UsbError):
    """Raised when a transfer fails on the wire: a stall that stays, a babble, an I/O error."""

    phone: str
    reason: str
    code: ClassVar = "USB-09"
    retryable: ClassVar = True
    template: ClassVar = "the USB transfer with {phone} failed: {reason}"
    cause: ClassVar = "A bad cable or hub, or firmware that stalls its endpoints."
    remedy: ClassVar = "Try another cable and a port directly on the computer."


@dataclass(eq=False)
class NoDriver(UsbError):
    """Raised when the device that was named is attached, but no driver speaks its protocol."""

    phone: str
    code: ClassVar = "USB-10"
    template: ClassVar = "no driver knows the device at {phone}"
    cause: ClassVar = "The device is not a phone of a family that usbprov can provision."
    remedy: ClassVar = "`usbprov drivers` lists the families that are known."


@dataclass(eq=False)
class NoSuchLink(UsbError):
    """Raised when the phone is to be reached over a kind of cable that it, or its bus, has not."""

    phone: str
    link: str
    code: ClassVar = "USB-11"
    template: ClassVar = "{phone} cannot be reached over {link}"
    cause: ClassVar = "It has no such interface, the operating system made no serial port of it, or the bus (USB/IP in user space) offers none."
    remedy: ClassVar = "Leave --link out, so that what there is will be used; `usbprov describe` shows the phone's interfaces."
