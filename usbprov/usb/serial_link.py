"""A link over a serial port of the operating system: CDC-ACM, an adapter, a UART, a pty.

pyserial does what differs between platforms; it is loaded when the first port is opened.
"""

import errno
import logging
import os
import re
import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from usbprov.errors import (
    AccessDenied,
    LinkBroken,
    LinkTimeout,
    PhoneBusy,
    PhoneGone,
    UsbError,
)

if TYPE_CHECKING:
    from serial import Serial

logger = logging.getLogger(__name__)

BAUD_RATE = 115200
"""Bits a second on a real UART, with 8 data bits, no parity, 1 stop bit; USB has no such rate."""

_SLICE = 0.25
"""Seconds of one wait: to change pyserial's time-out sets up the whole port anew."""

_MOST_AT_ONCE = 16 * 1024
"""Bytes that one read takes at most."""

_QUIET = 0.05
"""Seconds of silence after which nothing old is on its way any more."""

_MOST_DRAINED = 1.0
"""Seconds after which a phone that writes log text without end is not waited for any longer."""

_NO_DATA = "returned no data"
"""So pyserial words the end of a terminal that has gone."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Maker = Callable[[str, str], UsbError]


class SerialLink:
    """A ``Link``; bytes come in whatever pieces the operating system has them in.

    The port is closed as soon as the phone is seen to have gone: a terminal that somebody still
    has open keeps its name, and the phone would come back under another.
    """

    def __init__(self, port: "Serial", name: str) -> None:
        self._port = port
        self._name = name
        self._gone = False

    @classmethod
    def open(cls, path: str, name: str) -> "SerialLink":
        """Open a serial port for this program alone.

        DTR and RTS are said before the port is opened, so that they do not change afterwards:
        some firmware takes a change for a restart.

        Args:
            path: As the operating system calls the port: ``/dev/ttyACM0``, ``COM5``.
            name: The phone as errors call it.

        Raises:
            PhoneBusy: Another program holds it.
            AccessDenied: The operating system does not allow it.
            PhoneGone: It is no longer there.
            LinkBroken: It cannot be set up.
        """
        from serial import Serial  # noqa: PLC0415  (heavy)

        port = Serial(baudrate=BAUD_RATE, timeout=_SLICE, exclusive=True)
        port.dtr = port.rts = True
        port.port = path
        try:
            port.open()
        except _failures() as failure:
            logger.debug("%s: %s cannot be opened: %s", name, path, failure)
            raise serial_error(failure, name, opening=True) from failure
        logger.debug("%s: %s is open", name, path)
        return cls(port, name)

    @property
    def name(self) -> str:
        """The phone as errors call it."""
        return self._name

    def write(self, data: bytes, timeout: float) -> None:
        """Send all of ``data``; see ``Link``."""
        self._guarded(timeout, _send, self._port, data, timeout)

    def read(self, timeout: float) -> bytes:
        """Wait for a byte, and return all that is there then; see ``Link``."""
        deadline = time.monotonic() + timeout
        left = timeout
        while not (data := self._guarded(timeout, _receive, self._port, min(left, _SLICE))):
            left = deadline - time.monotonic()
            if left <= 0:
                raise LinkTimeout(self._name, "a transfer", timeout)
        return data

    def resync(self) -> None:
        """Throw away what is not yet sent, and what comes until the line is quiet.

        A line has no way to tell the phone to forget: how the two find each other again is a
        matter of the protocol. A phone that never is quiet writes log text; that is no error.

        Raises:
            PhoneGone: The phone vanished.
            LinkBroken: The port failed.
        """
        logger.debug("%s: resynchronising", self._name)
        self._guarded(0.0, self._port.reset_output_buffer)
        end = time.monotonic() + _MOST_DRAINED
        dropped = 0
        with suppress(LinkTimeout):
            while time.monotonic() < end:
                dropped += len(self.read(_QUIET))
        if dropped:
            logger.debug("%s: dropped %d old bytes", self._name, dropped)

    def close(self) -> None:
        """Close the port without waiting for what is not yet sent; may be called twice."""
        with suppress(*_failures()):
            self._port.reset_output_buffer()
        with suppress(*_failures()):
            self._port.close()

    # ---------------------------------------------------------------------------------------------

    def _guarded(
        self, timeout: float, action: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Call what talks to the port, and raise what it raises as an error of the tree."""
        if self._gone:
            raise PhoneGone(self._name)
        try:
            return action(*args, **kwargs)
        except _failures() as failure:
            error = serial_error(failure, self._name, timeout)
            if isinstance(error, PhoneGone):
                logger.debug("%s: its port has gone: %s", self._name, failure)
                self._gone = True
                self.close()
            raise error from failure


if sys.platform == "win32":

    def _send(port: "Serial", data: bytes, timeout: float) -> None:
        """Send all of ``data``."""
        if port.write_timeout != timeout:
            port.write_timeout = timeout
        port.write(data)

    def _receive(port: "Serial", wait: float) -> bytes:
        """Wait for a byte and take all that is there; b"" if none came."""
        if port.timeout != wait:
            port.timeout = wait
        first: bytes = port.read(1)
        more = port.in_waiting if first else 0
        return first + port.read(more) if more else first

else:
    # What pyserial does, with fewer system calls: it would have to be asked three times to read
    # whatever is there, and it waits after each write. Between small messages that is what counts.

    def _send(port: "Serial", data: bytes, timeout: float) -> None:
        """Send all of ``data``."""
        terminal, left = port.fileno(), memoryview(data)
        deadline = time.monotonic() + timeout
        while left:
            left = left[_write_some(terminal, left) :]
            if left and not _writable(terminal, deadline - time.monotonic()):
                from serial import SerialTimeoutException  # noqa: PLC0415  (loaded by now)

                raise SerialTimeoutException

    def _write_some(terminal: int, data: memoryview) -> int:
        """Send what can be sent at once; say how many bytes that was."""
        try:
            return os.write(terminal, data)
        except BlockingIOError:
            return 0

    def _writable(terminal: int, wait: float) -> bool:
        return bool(select.select([], [terminal], [], max(0.0, wait))[1])

    def _receive(port: "Serial", wait: float) -> bytes:
        """Wait for a byte and take all that is there; b"" if none came."""
        terminal = port.fileno()
        if not select.select([terminal], [], [], wait)[0]:
            return b""
        try:
            data = os.read(terminal, _MOST_AT_ONCE)
        except BlockingIOError:  # somebody has thrown away what was there
            return b""
        if not data:
            raise OSError(errno.EIO, "the terminal has hung up")
        return data


def _gone(phone: str, _reason: str) -> UsbError:
    return PhoneGone(phone)


def _busy(phone: str, _reason: str) -> UsbError:
    return PhoneBusy(phone)


def _denied(phone: str, _reason: str) -> UsbError:
    return AccessDenied(phone)


_ERRORS: Mapping[int, _Maker] = {
    errno.ENOENT: _gone,
    errno.EIO: _gone,
    errno.ENXIO: _gone,
    errno.ENODEV: _gone,
    errno.EBADF: _gone,
    errno.ESHUTDOWN: _gone,
}

_OPENING: Mapping[int, _Maker] = {
    errno.EBUSY: _busy,
    errno.EWOULDBLOCK: _busy,  # somebody has the lock
    errno.EACCES: _denied,
    errno.EPERM: _denied,
}

_OPEN: Mapping[int, _Maker] = {
    # Rights are a matter of opening. This is a transfer that Linux withdraws at that moment
    # because the device is being removed.
    errno.EPERM: _gone,
}

_WINDOWS_OPENING: Mapping[int, _Maker] = {errno.EACCES: _busy}
"""Windows has no rights on serial ports: access is denied while another program has it open."""

_WINDOWS_OPEN: Mapping[int, _Maker] = {errno.EACCES: _gone, errno.EINVAL: _gone}
"""What Windows says of a port whose device was pulled."""


def serial_error(
    failure: Exception, phone: str, seconds: float = 0.0, *, opening: bool = False
) -> UsbError:
    """Return the error of the tree for what pyserial raised.

    Args:
        failure: An ``OSError`` (pyserial's own exceptions are some) or ``termios.error``.
        phone: The phone as messages call it.
        seconds: The time limit that was given, for a time-out.
        opening: Whether the port was just being opened.
    """
    from serial import SerialTimeoutException  # noqa: PLC0415  (loaded by now)

    if isinstance(failure, SerialTimeoutException):
        return LinkTimeout(phone, "a transfer", seconds)
    number = _number(failure)
    table = {**_ERRORS, **(_OPENING if opening else _OPEN)}
    if sys.platform == "win32":
        table |= _WINDOWS_OPENING if opening else _WINDOWS_OPEN
    if number is None:
        bare = type(failure) is OSError or _NO_DATA in str(failure)
        return PhoneGone(phone) if bare else LinkBroken(phone, str(failure))
    return table.get(number, LinkBroken)(phone, str(failure))


def _number(failure: Exception) -> int | None:
    """Return the errno behind what pyserial raised: it seldom passes it on as one."""
    for cause in _causes(failure):
        number = cause.errno if isinstance(cause, OSError) else next(iter(cause.args), None)
        if isinstance(number, int):
            return number
    worded = re.search(r"Error\((\d+),", str(failure))  # on Windows
    return int(worded[1]) if worded else None


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """Yield the failure and what it was raised for."""
    found: BaseException | None = failure
    while found is not None:
        yield found
        found = found.__context__


def _failures() -> tuple[type[Exception], ...]:
    """What pyserial raises: ``OSError``, and untranslated that of termios, where there is one."""
    termios = sys.modules.get("termios")
    return (OSError, termios.error) if termios is not None else (OSError,)
