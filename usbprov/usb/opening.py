"""What goes with opening a device of this computer: neighbours in the way, and power saving."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from usbprov.errors import PhoneBusy
from usbprov.usb.holders import Holder, holders_of, processes_named
from usbprov.usb.link import Link

logger = logging.getLogger(__name__)

PROBER = "ModemManager"
"""The service that tries every new serial port for a modem."""

PROBING = 30.0
"""Seconds that it takes for a port at most; it then gives it back."""

_RETRY_INTERVAL = 0.25


class HeldLink:
    """A ``Link`` that has more to be undone when it is closed."""

    def __init__(self, link: Link, close: Callable[[], object]) -> None:
        """Pass everything on to ``link``, except that ``close`` closes it and undoes the rest."""
        self._link = link
        self._close = close
        self.name = link.name
        self.write = link.write
        self.read = link.read
        self.resync = link.resync

    def close(self) -> None:
        """Give the phone back; may be called twice."""
        self._close()


def open_patiently(open_once: Callable[[], Link], node: str, phone: str) -> Link:
    """Open a link; one that ModemManager is just trying is waited for, and that is said.

    Args:
        open_once: Opens it, or raises ``PhoneBusy``.
        node: The device node that it opens.
        phone: The phone as errors call it.

    Raises:
        PhoneBusy: Somebody has it, and who that is.
        UsbError: What else ``open_once`` raises.
    """
    deadline = time.monotonic() + PROBING
    said = False
    while True:
        try:
            return open_once()
        except PhoneBusy as busy:
            holders = holders_of(node)
            if time.monotonic() >= deadline or not _is_probed(holders):
                raise PhoneBusy(phone, _named(holders) or busy.holder) from busy
        if not said:
            said = True
            logger.warning(
                "%s: %s looks for a modem behind %s; waiting up to %d s until it is done",
                phone, PROBER, node, PROBING,
            )  # fmt: skip
        time.sleep(_RETRY_INTERVAL)


@contextmanager
def kept_awake(device: Path) -> Iterator[None]:
    """Have the kernel not suspend a device meanwhile, where this user may say so.

    Args:
        device: Its folder in sysfs.
    """
    control = device / "power" / "control"
    before = _exchange(control, "on")
    try:
        yield
    finally:
        if before not in {None, "on"}:
            _exchange(control, before or "")


def _is_probed(holders: Sequence[Holder]) -> bool:
    """Say whether it is ModemManager; other users' processes cannot be looked into."""
    if holders:
        return any(holder.name == PROBER for holder in holders)
    return bool(processes_named(PROBER))


def _named(holders: Sequence[Holder]) -> str:
    return ", ".join(map(str, holders))


def _exchange(attribute: Path, value: str) -> str | None:
    """Write an attribute if it has another value, and return that; None where it cannot be."""
    try:
        before = attribute.read_text("ascii").strip()
        if before != value:
            attribute.write_text(value, "ascii")
    except (OSError, UnicodeError):
        return None
    return before
