"""The network interfaces of this computer that DHCP may be asked from.

What the operating system does differently is here: Linux's ``ioctl`` gives names and hardware
addresses; elsewhere the one interface is used that leads to the network.
"""

import socket
import struct
import sys
import uuid
from dataclasses import dataclass

from usbprov.errors import UsageError

_GET_FLAGS, _GET_ADDRESS, _GET_HARDWARE = 0x8913, 0x8915, 0x8927
_UP, _LOOPBACK = 0x1, 0x8
_SOMEWHERE = ("192.0.2.1", 9)
"""An address of RFC 5737 that nobody has: it only makes the system choose an interface."""


@dataclass(frozen=True)
class Interface:
    """A network interface with an IPv4 address.

    Attributes:
        name: ``eth0``; empty where the system does not tell.
        address: IPv4.
        hardware: MAC address, 6 bytes.
    """

    name: str
    address: str
    hardware: bytes


def usable_interfaces(name: str | None = None) -> list[Interface]:
    """Return the interfaces that are up and have an IPv4 address, or the one that is named.

    Raises:
        UsageError: There is none of that name, or it has no IPv4 address.
    """
    if sys.platform == "linux":
        usable = _all() if name is None else [_named(name)]
    else:
        usable = [_default()] if name is None else _unsupported(name)
    return usable


def _unsupported(name: str) -> list[Interface]:
    raise UsageError(f"--interface {name}: this system cannot choose an interface")


def _all() -> list[Interface]:
    found = (_interface(which) for _, which in socket.if_nameindex())
    return [interface for interface in found if interface is not None]


def _named(name: str) -> Interface:
    known = [which for _, which in socket.if_nameindex()]
    if name not in known:
        raise UsageError(f"there is no interface {name!r}; there are {', '.join(known)}")
    found = _interface(name, loopback=True)
    if found is None:
        raise UsageError(f"the interface {name} is down or has no IPv4 address")
    return found


def _interface(name: str, *, loopback: bool = False) -> Interface | None:
    request = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            flags = struct.unpack_from("H", _ask(asked, _GET_FLAGS, request), 16)[0]
            address = _ask(asked, _GET_ADDRESS, request)[20:24]
            hardware = _ask(asked, _GET_HARDWARE, request)[18:24]
        except OSError:
            return None
    if not flags & _UP or (flags & _LOOPBACK and not loopback):
        return None
    return Interface(name, socket.inet_ntoa(address), hardware)


def _ask(asked: socket.socket, what: int, request: bytes) -> bytes:
    answer = b""
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - there is none on Windows

        answer = fcntl.ioctl(asked, what, request)
    return answer


def _default() -> Interface:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_SOMEWHERE)
        return Interface("", probe.getsockname()[0], uuid.getnode().to_bytes(6, "big"))
