"""What pyserial raises on each platform, as errors of the tree."""

import errno
import sys

import pytest
import serial

from usbprov.errors import (
    AccessDenied,
    LinkBroken,
    LinkTimeout,
    PhoneBusy,
    PhoneGone,
    UsbError,
)
from usbprov.usb.serial_link import serial_error

NAME = "phone 1-1"


def wrapped(cause: Exception, words: str) -> Exception:
    """As pyserial does: a new exception without the number, while the old one is handled."""
    try:
        try:
            raise cause
        except type(cause):
            raise serial.SerialException(f"{words}: {cause}")  # noqa: B904
    except serial.SerialException as failure:
        return failure


def numbered(number: int, words: str = "could not open port") -> serial.SerialException:
    return serial.SerialException(number, words)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (numbered(errno.EBUSY), PhoneBusy),
        (numbered(errno.EWOULDBLOCK, "Could not exclusively lock port"), PhoneBusy),
        (numbered(errno.EACCES), AccessDenied),
        (numbered(errno.EPERM), AccessDenied),
        (numbered(errno.ENOENT), PhoneGone),
        (numbered(errno.ENXIO), PhoneGone),
        (numbered(errno.ENODEV), PhoneGone),
        (numbered(errno.EIO), PhoneGone),
        (numbered(errno.EPROTO), LinkBroken),
    ],
    ids=lambda case: str(case)[:40],
)
def test_every_failure_to_open_a_port_has_its_error(
    failure: Exception, error: type[UsbError]
) -> None:
    assert type(serial_error(failure, NAME, opening=True)) is error


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (OSError(errno.ENODEV, "No such device"), PhoneGone),
        (OSError(errno.ESHUTDOWN, "Cannot send after shutdown"), PhoneGone),
        # The device is being removed; rights have nothing to do with it.
        (OSError(errno.EPERM, "Operation not permitted"), PhoneGone),
        (OSError(errno.EPROTO, "Protocol error"), LinkBroken),
        (wrapped(OSError(errno.EIO, "Input/output error"), "read failed"), PhoneGone),
        (wrapped(OSError(errno.ENOMEM, "no memory"), "read failed"), LinkBroken),
        (OSError(errno.EIO, "Input/output error"), PhoneGone),
        (OSError(), PhoneGone),
        (
            serial.SerialException("device reports readiness to read but returned no data"),
            PhoneGone,
        ),
        (serial.SerialException("something else"), LinkBroken),
        (serial.PortNotOpenError(), LinkBroken),
        (serial.SerialTimeoutException("Write timeout"), LinkTimeout),
    ],
    ids=lambda case: str(case)[:40],
)
def test_every_failure_has_its_error(failure: Exception, error: type[UsbError]) -> None:
    made = serial_error(failure, NAME, 3.0)
    assert type(made) is error
    assert NAME in str(made)


def test_what_termios_says_is_understood() -> None:
    termios = pytest.importorskip("termios")
    raised = termios.error(errno.EIO, "Input/output error")
    assert isinstance(serial_error(raised, NAME), PhoneGone)
    told = wrapped(raised, "Could not configure port")
    assert isinstance(serial_error(told, NAME), PhoneGone)


@pytest.mark.parametrize(
    ("words", "opening", "error"),
    [
        ("could not open port 'COM5': FileNotFoundError(2, 'not found', None, 2)", True, PhoneGone),
        ("could not open port 'COM5': PermissionError(13, 'denied', None, 5)", True, PhoneBusy),
        ("ClearCommError failed (PermissionError(13, 'denied', None, 5))", False, PhoneGone),
        ("WriteFile failed (OSError(22, 'not recognised', None, 22))", False, PhoneGone),
        ("Cannot configure port, something went wrong.", True, LinkBroken),
    ],
)
def test_what_windows_says_is_understood(
    words: str, error: type[UsbError], monkeypatch: pytest.MonkeyPatch, *, opening: bool
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    made = serial_error(serial.SerialException(words), NAME, opening=opening)
    assert type(made) is error
