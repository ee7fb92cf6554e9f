"""A phone that is held: locked against other programs, open, and found again when it went away."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from usbprov.errors import (
    AccessDenied,
    BusUnavailable,
    JobBusy,
    LinkBroken,
    LinkTimeout,
    PhoneBusy,
    PhoneChanged,
    PhoneGone,
    UsbError,
)
from usbprov.phone.candidates import Candidate
from usbprov.phone.contract import Phone, PhoneIdentity
from usbprov.tape import clock
from usbprov.usb.locks import Held

logger = logging.getLogger(__name__)

_LOOK_EVERY = 0.25
"""Seconds between two looks at the port of a phone that is gone."""

_NOT_YET = (AccessDenied, BusUnavailable, LinkBroken, LinkTimeout, PhoneBusy, PhoneGone)
"""What a phone may be good for while it is coming back: udev and the phone itself take a while."""


class HeldPhone:
    """One phone for one program. Made by ``hold``.

    The phone's place is locked from the beginning; once ``bind`` has said which phone it is, that
    phone is locked too, whatever other way leads to it.

    Attributes:
        phone: The phone as it is open now; another object after ``wait_back``.
    """

    def __init__(self, candidate: Candidate, stack: ExitStack) -> None:
        self._candidate = candidate
        self._stack = stack
        self._identity: PhoneIdentity | None = None
        self.phone: Phone = candidate.open()
        stack.callback(self._close)

    @property
    def name(self) -> str:
        """The phone as messages call it."""
        return self._candidate.facts.name

    def bind(self, identity: PhoneIdentity) -> None:
        """From now on it is this phone and no other; may be said again.

        Raises:
            JobBusy: Another program has reached the same phone by another way.
        """
        if identity == self._identity:
            return
        try:
            key = f"phone {identity.serial} {identity.mac}"
            self._stack.enter_context(self._candidate.reach.locks.hold(key))
        except Held as held:
            raise JobBusy(self.name, held.holder) from None
        self._identity = identity

    def verify(self) -> None:
        """See that it still is the phone that it was, before something is written to it.

        It is asked only where the cable does not tell that the phone at its end was exchanged.

        Raises:
            PhoneChanged: It is another one.
        """
        if self.phone.may_be_exchanged:
            self._compare(self.phone)

    def wait_back(self, seconds: float) -> Phone:
        """Wait at the same port until the phone is back and open it, under whatever new name.

        Raises:
            PhoneChanged: Another phone is there now; nothing was written to it.
            PhoneGone: It did not come back in time.
            UsbError: It came back, but could not be opened until the time was over.
        """
        self.phone.close()
        deadline = clock.monotonic() + seconds
        while True:
            try:
                return self._open_again()
            except _NOT_YET as error:
                if clock.monotonic() >= deadline:
                    raise _final(error, self.name) from None
                logger.debug("%s is not back yet: %s", self.name, error)
            clock.sleep(_LOOK_EVERY)

    def _close(self) -> None:
        self.phone.close()

    def _open_again(self) -> Phone:
        present = self._candidate.at_present()
        if present is None or present.driver is None:
            raise PhoneGone(self.name)
        phone = present.open()
        try:
            self._compare(phone)
        except BaseException:
            phone.close()
            raise
        self._candidate, self.phone = present, phone
        logger.debug("%s is back", self.name)
        return phone

    def _compare(self, phone: Phone) -> None:
        if self._identity is None:
            return
        found = phone.identity()
        if found != self._identity:
            raise PhoneChanged(self._candidate.facts.port_path, str(self._identity), str(found))


def _final(error: UsbError, name: str) -> UsbError:
    """An exporter that went with its phones is as good as a pulled cable."""
    return PhoneGone(name) if isinstance(error, BusUnavailable) else error


@contextmanager
def hold(candidate: Candidate) -> Iterator[HeldPhone]:
    """Lock the phone's place, open the phone, and give both back after the block.

    Raises:
        PhoneBusy: Another usbprov, or another program, has it.
        UsbprovError: As ``Candidate.open``.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(candidate.reach.locks.hold(f"port {candidate.address}"))
        except Held as held:
            raise PhoneBusy(candidate.facts.name, held.holder) from None
        yield HeldPhone(candidate, stack)
