"""Buses by name: what ``--bus`` takes.

Importing this module loads neither pyusb nor libusb.
"""

from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, urlsplit

from usbprov.errors import UsageError
from usbprov.usb.devices import Bus

DEFAULT_BUS = "kernel"
"""The bus that is searched when none is named."""


def open_bus(uri: str) -> Bus:
    """Return the bus that ``uri`` names; nothing is searched yet.

    Args:
        uri: ``kernel``, the operating system's own USB, or ``usbip://host[:port]``, a USB/IP
            exporter, an IPv6 address in brackets; or ``tty:/dev/ttyS0``, one serial line.

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


def _kernel(uri: str) -> Bus:
    if uri.lower() != "kernel":
        raise UsageError(f"{uri!r} is not a bus; did you mean 'kernel'?")
    from usbprov.usb.kernel_bus import open_kernel_bus  # noqa: PLC0415  (heavy)

    return open_kernel_bus(uri)


def _usbip(uri: str) -> Bus:
    host, port = _host_and_port(uri)
    from usbprov.usb.usbip_backend import open_usbip_bus  # noqa: PLC0415  (heavy)

    return open_usbip_bus(uri, host, port)


def _tty(uri: str) -> Bus:
    path = uri.partition(":")[2]
    if not path:
        raise UsageError(f"bus {uri!r} is not of the form tty:PATH, such as tty:/dev/ttyS0")
    from usbprov.usb.serial_bus import SerialBus  # noqa: PLC0415  (only where it is asked for)

    return SerialBus(uri, path)


_FACTORIES: Mapping[str, Callable[[str], Bus]] = {"kernel": _kernel, "usbip": _usbip, "tty": _tty}
_FORMS = ("kernel", "usbip://host[:port]", "tty:PATH")


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
