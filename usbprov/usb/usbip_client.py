"""Asking a USB/IP exporter over TCP: which devices there are, and for one of them."""

import errno
import logging
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

from usbprov.usb.pyusb import USBError, new_error
from usbprov.usb.transfers import usb_error
from usbprov.usb.usbip_session import UsbIpSession
from usbprov.usbip import (
    ClientDecoder,
    DeviceListReply,
    DeviceListRequest,
    ExportedDevice,
    ImportReply,
    ImportRequest,
    MalformedMessage,
    Status,
)

logger = logging.getLogger(__name__)

DEFAULT_PORT = 3240
"""The port that IANA has assigned to USB/IP."""

_ANSWER_TIMEOUT = 2.5
"""Seconds for a connection and the answer to one operation."""

_KEEPALIVE: Mapping[str, int] = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Finds out within half a minute that the exporter's computer is no longer there, in seconds."""

_RETRY_INTERVAL = 0.02
_CHUNK = 1 << 16

_REFUSALS: Mapping[int, int] = {
    # usbipd before Linux 4.20 has no better word than "not available" for a device in use.
    Status.NOT_AVAILABLE: errno.EBUSY,
    Status.BUSY: errno.EBUSY,
    Status.NO_DEVICE: errno.ENODEV,
}

_Place = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
_Reply = TypeVar("_Reply", DeviceListReply, ImportReply)


@dataclass(frozen=True)
class Address:
    """Where an exporter listens.

    Attributes:
        host: Name or address; an IPv6 address without brackets.
        port: TCP port.
    """

    host: str
    port: int = DEFAULT_PORT


def list_devices(address: Address) -> tuple[ExportedDevice, ...]:
    """Return what the exporter offers, imported by others or not.

    Raises:
        USBError: It is not reached, or is no exporter.
    """
    with _connected(address) as connection:
        reply = connection.ask(DeviceListRequest(), DeviceListReply)
    if reply.status:
        raise usb_error(errno.EPROTO, f"the exporter gives no list (status {reply.status})")
    return reply.devices


def import_device(address: Address, busid: str, patience: float) -> UsbIpSession:
    """Import a device: nobody else can until the session is closed.

    Args:
        address: The exporter.
        busid: The device, as listed.
        patience: Seconds to go on trying while it is in use.

    Raises:
        USBError: EBUSY: it is in use. ENODEV: it, or the exporter, is gone.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return _import(address, busid)
        except USBError as failure:
            if failure.errno != errno.EBUSY or time.monotonic() >= deadline:
                raise
        time.sleep(_RETRY_INTERVAL)


def _import(address: Address, busid: str) -> UsbIpSession:
    connection = _reconnected(address)
    try:
        reply = connection.ask(ImportRequest(busid), ImportReply)
        if reply.device is None:
            raise usb_error(_REFUSALS.get(reply.status, errno.EIO))
        logger.debug("imported %s from %s port %d", busid, address.host, address.port)
        return UsbIpSession(connection.sock, connection.decoder, reply.device)
    except BaseException:
        connection.sock.close()
        raise


def _reconnected(address: Address) -> "_Connection":
    """Connect to an exporter that had answered before: not reached means that it is gone."""
    try:
        return _connected(address)
    except USBError as failure:
        raise usb_error(errno.ENODEV, f"the exporter is gone: {failure.strerror}") from failure


class _Connection:
    """A connection on which no device was imported yet."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.sock = sock
        self.decoder = ClientDecoder()
        self._deadline = deadline

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def ask(self, request: DeviceListRequest | ImportRequest, kind: type[_Reply]) -> _Reply:
        """Send a request and return its answer."""
        try:
            self.sock.settimeout(_left(self._deadline))
            self.sock.sendall(request.encode())
            reply = self._reply()
        except OSError as failure:
            raise _not_reached(failure) from failure
        except MalformedMessage as failure:
            raise usb_error(errno.EPROTO, f"no USB/IP exporter answers: {failure}") from failure
        if not isinstance(reply, kind):
            raise usb_error(errno.EPROTO, "no USB/IP exporter answers: another question's answer")
        return reply

    def _reply(self) -> object:
        while (reply := self.decoder.pop()) is None:
            if time.monotonic() > self._deadline:  # it goes on and on, a few bytes at a time
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            self.sock.settimeout(_left(self._deadline))
            data = self.sock.recv(_CHUNK)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "the exporter closed the connection")
            self.decoder.feed(data)
        return reply


def _connected(address: Address) -> _Connection:
    deadline = time.monotonic() + _ANSWER_TIMEOUT
    try:
        places = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as failure:
        reason = getattr(failure, "strerror", None) or str(failure)
        raise usb_error(errno.EHOSTUNREACH, reason) from failure
    refusal: OSError = TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    for family, kind, protocol, _, place in places:
        try:
            return _Connection(_dialled(family, kind, protocol, place, deadline), deadline)
        except OSError as failure:
            refusal = failure
    raise _not_reached(refusal) from refusal


def _dialled(
    family: int, kind: int, protocol: int, place: _Place, deadline: float
) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(_left(deadline))
        sock.connect(place)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    except BaseException:
        sock.close()
        raise
    return sock


def _left(deadline: float) -> float:
    # Never 0, which would make the socket non-blocking.
    return max(0.001, deadline - time.monotonic())


def _not_reached(failure: OSError) -> USBError:
    number = failure.errno or errno.ETIMEDOUT
    return new_error(number, failure.strerror or os.strerror(number))
