"""What libusb and our backends report, as errors of the tree and as words for a list."""

import errno
from collections.abc import Callable, Mapping

from usbprov.errors import (
    AccessDenied,
    LinkBroken,
    LinkTimeout,
    PhoneBusy,
    PhoneGone,
    UsbError,
)
from usbprov.usb.pyusb import USBError, USBTimeoutError

FAILURES = (USBError, NotImplementedError, ValueError, IndexError)
"""All that pyusb raises of a device: its errors, what a platform cannot do, bad descriptors."""

_Maker = Callable[[str, str], UsbError]


def _gone(phone: str, _reason: str) -> UsbError:
    return PhoneGone(phone)


def _busy(phone: str, _reason: str) -> UsbError:
    return PhoneBusy(phone)


def _denied(phone: str, _reason: str) -> UsbError:
    return AccessDenied(phone)


_ERRORS: Mapping[int, _Maker] = {
    errno.ENODEV: _gone,
    errno.ESHUTDOWN: _gone,
    errno.EBUSY: _busy,
    errno.EACCES: _denied,
    errno.EPERM: _denied,
}

_WORDS: Mapping[int, str] = {
    errno.ENODEV: "unplugged while it was being read",
    errno.EBUSY: "in use by another program",
    errno.EACCES: "no permission to open it",
    errno.EPERM: "no permission to open it",
    errno.ETIMEDOUT: "it does not answer",
    errno.EPIPE: "it refuses the request",
}


def link_error(failure: Exception, phone: str, seconds: float = 0.0) -> UsbError:
    """Return the error of the tree for what pyusb raised during a transfer with ``phone``.

    Args:
        failure: One of ``FAILURES``.
        phone: The phone as messages call it.
        seconds: The time limit that was given, for a time-out.
    """
    number = failure.errno if isinstance(failure, USBError) else None
    if isinstance(failure, USBTimeoutError) or number == errno.ETIMEDOUT:
        return LinkTimeout(phone, "a transfer", seconds)
    return _ERRORS.get(number or 0, LinkBroken)(phone, _text(failure))


def opening_error(failure: Exception, phone: str) -> UsbError:
    """Return the error of the tree for what pyusb raised while ``phone`` was being opened."""
    error = link_error(failure, phone)
    # Which of the set-up's requests ran out of what time is of no use to anybody.
    return LinkBroken(phone, in_words(failure)) if isinstance(error, LinkTimeout) else error


def in_words(failure: Exception) -> str:
    """Say what pyusb raised, for the ``problem`` of a device in a list."""
    number = failure.errno if isinstance(failure, USBError) else None
    if isinstance(failure, USBTimeoutError):
        number = errno.ETIMEDOUT
    return _WORDS.get(number or 0) or _text(failure)


def _text(failure: Exception) -> str:
    strerror = getattr(failure, "strerror", None)
    return str(strerror or failure) or type(failure).__name__
