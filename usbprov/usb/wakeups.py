"""Waiting until something may have happened on a bus."""

import logging
import selectors
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Protocol, cast

logger = logging.getLogger(__name__)

_UDEV_CONTROL = Path("/run/udev/control")
"""The socket of a udev daemon that runs."""

_SUBSYSTEMS = ("usb", "tty")

_SURE = 5.0
"""Seconds after which it is looked even if udev says nothing: rights may have changed."""

_POLLING = 1.0
"""Seconds between two looks where there is no udev."""


class Monitor(Protocol):
    """The part of ``pyudev.Monitor`` that is used: pyudev has no types."""

    def fileno(self) -> int:
        """Return the socket, which is readable when there are messages."""
        ...

    def poll(self, timeout: float) -> object | None:
        """Return the next message, None when there is none within ``timeout`` seconds."""
        ...


class Wakeup(Protocol):
    """What a watcher sleeps on."""

    def wait(self, seconds: float | None = None) -> None:
        """Return when there may be news, at once when awake.

        Args:
            seconds: How long at most; None for as long as it can be sure that there is no news.
        """
        ...

    def wake(self) -> None:
        """Have ``wait`` return at once from now on; from any thread."""
        ...

    def close(self) -> None:
        """Free what it holds; nobody waits any more."""
        ...


class TimedWakeup:
    """Knows of no news: the time has to serve.

    Args:
        interval: Seconds between two looks.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._awake = threading.Event()

    def wait(self, seconds: float | None = None) -> None:
        """Wait; see ``Wakeup``."""
        self._awake.wait(self._interval if seconds is None else seconds)

    def wake(self) -> None:
        """Wake up for good; see ``Wakeup``."""
        self._awake.set()

    def close(self) -> None:
        """Do nothing."""


class UdevWakeup:
    """Is told of by udev when devices, interfaces and terminals come and go (Linux)."""

    def __init__(self, monitor: Monitor) -> None:
        """Listen to a monitor that was started."""
        self._monitor = monitor
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(monitor.fileno(), selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)

    def wait(self, seconds: float | None = None) -> None:
        """Wait; see ``Wakeup``."""
        if self._selector.select(_SURE if seconds is None else seconds):
            # Messages that were lost because they were too many raise, and are news as well.
            with suppress(OSError):
                while self._monitor.poll(0) is not None:
                    pass

    def wake(self) -> None:
        """Wake up for good; see ``Wakeup``."""
        with suppress(OSError):
            self._wake_write.send(b"\0")

    def close(self) -> None:
        """Close the sockets; pyudev's own is freed with the monitor."""
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()


def kernel_wakeup() -> Wakeup:
    """Return what wakes on news of this computer's USB; without udev, the time has to serve."""
    return _udev_wakeup() or TimedWakeup(_POLLING)


def _udev_wakeup() -> UdevWakeup | None:
    try:
        return UdevWakeup(_monitor())
    except (ImportError, OSError) as failure:
        logger.debug("no udev: %s", failure)
        return None


def _monitor() -> Monitor:
    """Have udev tell of news; raises ``ImportError`` and ``OSError`` where there is none."""
    import pyudev  # noqa: PLC0415  (Linux only)

    # The kernel's own messages come before the node has its rights: the daemon's are better.
    source = "udev" if _UDEV_CONTROL.exists() else "kernel"
    context = pyudev.Context()  # type: ignore[no-untyped-call]
    monitor = pyudev.Monitor.from_netlink(context, source)  # type: ignore[no-untyped-call]
    for subsystem in _SUBSYSTEMS:
        monitor.filter_by(subsystem)
    monitor.start()
    return cast("Monitor", monitor)
