"""What pyusb raises, as errors of the tree."""

import errno

import pytest
import usb.core

from usbprov.errors import AccessDenied, LinkBroken, LinkTimeout, PhoneBusy, PhoneGone
from usbprov.usb.failures import in_words, link_error
from usbprov.usb.transfers import SHUT_DOWN, TIMED_OUT, Completion, completed
from usbprov.usbip import TransferStatus


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENODEV, PhoneGone),
        (errno.ESHUTDOWN, PhoneGone),
        (errno.EBUSY, PhoneBusy),
        (errno.EACCES, AccessDenied),
        (errno.EPERM, AccessDenied),
        (errno.EPIPE, LinkBroken),
        (errno.EOVERFLOW, LinkBroken),
        (errno.EIO, LinkBroken),
        (errno.ENOENT, LinkBroken),
        (None, LinkBroken),
    ],
)
def test_errno(number, kind):
    error = link_error(usb.core.USBError("what libusb says", None, number), "phone 1-1", 2.0)
    assert type(error) is kind
    assert "phone 1-1" in str(error)


def test_time_out():
    for failure in (
        usb.core.USBTimeoutError("timed out", -7, errno.ETIMEDOUT),
        usb.core.USBTimeoutError("timed out"),
        usb.core.USBError("timed out", None, errno.ETIMEDOUT),
    ):
        error = link_error(failure, "phone 1-1", 2.5)
        assert isinstance(error, LinkTimeout)
        assert str(error) == "phone 1-1 did not answer a transfer within 2.5 s"


@pytest.mark.parametrize(
    "failure",
    [NotImplementedError("detach"), ValueError("Invalid endpoint"), IndexError("no such")],
)
def test_other_exceptions_of_pyusb(failure):
    error = link_error(failure, "phone 1-1")
    assert isinstance(error, LinkBroken)
    assert error.reason == str(failure)


def test_words():
    assert in_words(usb.core.USBError("x", None, errno.EACCES)) == "no permission to open it"
    assert in_words(usb.core.USBTimeoutError("x")) == "it does not answer"
    assert in_words(usb.core.USBError("odd", None, errno.ENOMEM)) == "odd"
    assert in_words(NotImplementedError()) == "NotImplementedError"


@pytest.mark.parametrize(
    ("status", "number"),
    [
        (TransferStatus.STALL, errno.EPIPE),
        (TransferStatus.NO_DEVICE, errno.ENODEV),
        (SHUT_DOWN, errno.ENODEV),
        (TransferStatus.OVERFLOW, errno.EOVERFLOW),
        (TIMED_OUT, errno.ETIMEDOUT),
        (TransferStatus.PROTOCOL, errno.EIO),
        (-84, errno.EIO),
        (-62, errno.EIO),
        (TransferStatus.UNLINKED, errno.EIO),
    ],
)
def test_status_of_a_transfer(status, number):
    with pytest.raises(usb.core.USBError) as caught:
        completed(Completion(status))
    assert caught.value.errno == number
    assert isinstance(caught.value, usb.core.USBTimeoutError) == (number == errno.ETIMEDOUT)
