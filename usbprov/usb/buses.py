"""Buses by name: what ``--bus`` takes, and the search over all of them.

Importing this module loads neither pyusb nor libusb.
"""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from usbprov.errors import UsageError
from usbprov.usb.devices import AttachedDevice, Bus

DEFAULT_BUS = "kernel"
"""The bus that is searched when none is named."""


def open_bus(uri: str) -> Bus:
    """Return the bus that ``uri`` names; nothing is searched yet.

    Args:
        uri: ``kernel``, the operating system's own USB, or ``usbip://host[:port]``, a USB/IP
            exporter; an IPv6 address stands in brackets.

    Raises:
        UsageError: The name is of no kind that is known, or is not complete.
        BusUnavailable: There is no libusb for the kernel's bus.
    """
    scheme = uri.partition(":")[0].lower()
    factory = _FACTORIES.get(scheme)
    if factory is None:
        known = ", ".join(_FORMS)
        raise UsageError(f"{uri!r} is not a bus; write one of: {known}")
    return factory(uri)


def search(buses: Sequence[Bus]) -> list[AttachedDevice]:
    """Return what is attached to all ``buses``, bus after bus, each sorted by port path.

    Raises:
        BusUnavailable: One of them cannot be searched: all were asked for.
    """
    return [device for bus in buses for device in bus.devices()]


def _kernel(uri: str) -> Bus:
    if uri.lower() != "kernel":
        raise UsageError(f"{uri!r} is not a bus; did you mean 'kernel'?")
    from usbprov.usb.kernel_bus import open_kernel_bus  # noqa: PLC0415  (heavy)

    return open_kernel_bus(uri)


def _usbip(uri: str) -> Bus:
    host, port = _host_and_port(uri)
    from usbprov.usb.usbip_backend import open_usbip_bus  # noqa: PLC0415  (heavy)

    return open_usbip_bus(uri, host, port)


_FACTORIES: Mapping[str, Callable[[str], Bus]] = {"kernel": _kernel, "usbip": _usbip}
_FORMS = ("kernel", "usbip://host[:port]")


def _host_and_port(uri: str) -> tuple[str, int | None]:
    """Take ``usbip://host[:port]`` apart."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as problem:
        raise UsageError(f"bus {uri!r}: {problem}") from problem
    if not parts.hostname or port == 0 or not _is_bare(parts):
        raise UsageError(f"bus {uri!r} is not of the form usbip://host[:port]")
    return parts.hostname, port


def _is_bare(parts: SplitResult) -> bool:
    """Say whether there is nothing but host and port."""
    more = (parts.path.strip("/"), parts.query, parts.fragment, parts.username, parts.password)
    return not any(more)
