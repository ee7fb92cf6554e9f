"""A device as one of our pyusb backends knows it, before and while it is open."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock

from usbprov.usb.pyusb import USBError
from usbprov.usb.snapshot import Snapshot, take_snapshot
from usbprov.usb.transfers import Session, usb_error

OPENING_PATIENCE = 1.0
LISTING_PATIENCE = 1.0
"""Seconds to wait for a device in use, when it is to be worked with, and when only listed."""


@dataclass(eq=False)
class Attachment:
    """A device as it was found on the bus: pyusb's device identification.

    Attributes:
        listed: What the bus itself says, before the device is asked.
        claims: Which handle has claimed which interface.
        connect: Opens the device alone, going on for so many seconds while another holds it:
            whoever gave it back may not be quite done with it. Raises ``USBError``: EBUSY when
            it is in use, ENODEV when it is gone.
    """

    listed: Snapshot
    connect: Callable[[float], Session]
    _snapshot: Snapshot | None = None
    _failure: USBError | None = None
    _session: Session | None = None
    _users: int = 0
    claims: "dict[int, Handle]" = field(default_factory=dict, repr=False)
    _lock: RLock = field(default_factory=RLock, repr=False)

    def acquire(self, patience: float) -> Session:
        """Open the device and read its descriptors, or share the session under way.

        Raises:
            USBError: It cannot be opened.
        """
        with self._lock:
            if self._session is None:
                self._session = self._open(patience)
            self._users += 1
            return self._session

    def release(self) -> None:
        """Give back what ``acquire`` gave; the last one closes."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _open(self, patience: float) -> Session:
        try:
            session = self.connect(patience)
        except USBError as failure:
            self._failure = failure
            raise
        if self._snapshot is None:
            try:
                self._snapshot = take_snapshot(session, self.listed.device)
            except USBError as failure:
                self._failure = failure
        return session

    def require(self) -> None:
        """Raise why the device could not be asked, if it could not."""
        if self._snapshot is None and self._failure is not None:
            raise usb_error(self._failure.errno or errno.EIO, self._failure.strerror)

    @property
    def asked(self) -> bool:
        """Whether the device was asked for its descriptors, with or without success."""
        return self._snapshot is not None or self._failure is not None

    @property
    def snapshot(self) -> Snapshot:
        """What the device says, or else what the bus says of it."""
        return self._snapshot or self.listed


@dataclass(eq=False)
class Handle:
    """An open device.

    Attributes:
        attachment: The device.
        session: The way to it.
        configuration: Its bConfigurationValue once that is known; 0 is none.
        claimed: Numbers of the interfaces that are claimed.
    """

    attachment: Attachment
    session: Session
    configuration: int | None = None
    claimed: set[int] = field(default_factory=set)
    closed: bool = False

    def close(self) -> None:
        """Give the device back; may be called twice."""
        if not self.closed:
            self.closed = True
            for number in tuple(self.claimed):
                self.release_claim(number)
            self.attachment.release()

    def claim(self, number: int) -> None:
        """Take an interface for this handle alone.

        Raises:
            USBError: EBUSY: another handle has it.
        """
        if self.attachment.claims.setdefault(number, self) is not self:
            raise usb_error(errno.EBUSY)
        self.claimed.add(number)

    def release_claim(self, number: int) -> None:
        """Give an interface back; one that was not claimed is no error."""
        if number in self.claimed:
            self.claimed.discard(number)
            self.attachment.claims.pop(number, None)

    def __del__(self) -> None:
        # pyusb does not close a device that was read or written and then forgotten: it is part
        # of a cycle, and the finalizer works with a weak reference that is dead by then.
        self.close()
