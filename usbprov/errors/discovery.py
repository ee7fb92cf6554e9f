"""Errors of finding the Web Services."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class DiscoveryError(UsbprovError):
    """Raised when the Web Services are not found, or what leads to them cannot be used."""


@dataclass(eq=False)
class NothingFound(DiscoveryError):
    """Raised when no source that was asked names the Web Services."""

    asked: str
    code: ClassVar = "DIS-01"
    exit_code: ClassVar = ExitCode.UNREACHED
    template: ClassVar = "nobody names the Web Services; asked: {asked}"
    cause: ClassVar = "This computer is on another network than the phones, no SIP domain was given, or the DHCP options and DNS records are not set."
    remedy: ClassVar = "Give --user or --domain, ask from the phones' network, see `usbprov discover` for what each source said, or give the URL with --web-services-url."


@dataclass(eq=False)
class DhcpNotPermitted(DiscoveryError):
    """Raised when DHCP cannot be asked from this computer by this user."""

    reason: str
    code: ClassVar = "DIS-02"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "DHCP cannot be asked: {reason}"
    cause: ClassVar = "DHCP servers answer to UDP port 68, which needs root or CAP_NET_BIND_SERVICE, and which another DHCP client may hold."
    remedy: ClassVar = "Repeat the command with sudo, or give the Python interpreter the right (sudo setcap cap_net_bind_service=+ep FILE; every script it runs then has it), or leave the step out with --no-dhcp."


@dataclass(eq=False)
class OptionInvalid(DiscoveryError):
    """Raised when a DHCP option or message cannot be used, or cannot be written as asked."""

    what: str
    problem: str
    code: ClassVar = "DIS-03"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "{what} cannot be used: {problem}"
    cause: ClassVar = "The value was put together by hand, or copied incompletely."
    remedy: ClassVar = (
        "Write it anew with `usbprov dhcp encode`, and check it with `usbprov dhcp decode`."
    )


@dataclass(eq=False)
class RegistrarNotFound(DiscoveryError):
    """Raised when no source that was asked names the Registrar."""

    asked: str
    code: ClassVar = "DIS-04"
    exit_code: ClassVar = ExitCode.UNREACHED
    template: ClassVar = "nobody names the Registrar; asked: {asked}"
    cause: ClassVar = "DHCP option 120 and the SRV records of the SIP domain are not set or cannot be asked from here, or no SIP domain is known."
    remedy: ClassVar = "Give the Registrar's name with --registrar, or the SIP domain with --user; `usbprov discover` shows what each source says."
