"""Watching buses: one thread each, so that none waits for another."""

import ipaddress
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from usbprov.errors import BusUnavailable
from usbprov.usb.devices import AttachedDevice, Bus
from usbprov.usb.hotplug import BusChanged, Event, IsWhole, Tracker, always_whole, has_its_ports
from usbprov.usb.wakeups import TimedWakeup, Wakeup, kernel_wakeup

_UNSETTLED = 0.1
"""Seconds between two looks while a device is not yet whole."""

_AGAIN_FIRST, _AGAIN_LAST = 2.0, 30.0
"""Seconds after which a device with a problem is asked again: at first, and at last."""

_FAREWELL = 10.0
"""Seconds for a look that is under way to end."""


@dataclass(frozen=True)
class _Way:
    """How a kind of bus is watched.

    Attributes:
        wakeup: Makes what it sleeps on.
        is_whole: Whether all of a device is there.
    """

    wakeup: Callable[[], Wakeup]
    is_whole: IsWhole = always_whole


_WAYS: Mapping[str, _Way] = {"kernel": _Way(kernel_wakeup, has_its_ports)}
_NEAR, _FAR = _Way(partial(TimedWakeup, 0.1)), _Way(partial(TimedWakeup, 1.0))


class Watcher:
    """Tells of devices that come and go on several buses. Thread-safe.

    Devices that are there at first arrive, too. A bus that cannot be searched does not stop the
    others: its devices have left, and arrive again when it is back.
    """

    def __init__(self, buses: Sequence[Bus]) -> None:
        """Begin to watch."""
        self._news: queue.Queue[list[Event] | Exception] = queue.Queue()
        self._closed = threading.Event()
        self._lookouts = [_Lookout(bus, self._news) for bus in buses]

    def next(self, timeout: float | None = None) -> list[Event]:
        """Wait for events; none came within ``timeout`` seconds, or the watcher is closed: empty.

        Events of one bus come in order; those of two buses need not.
        """
        events: list[Event] = []
        with suppress(queue.Empty):
            events += self._taken(block=True, timeout=timeout)
            while True:
                events += self._taken(block=False)
        return events

    @property
    def has_looked(self) -> bool:
        """Whether every bus was looked at, and all that was there has been told of."""
        return all(lookout.has_looked for lookout in self._lookouts)

    @property
    def closed(self) -> bool:
        """Whether it watches no more."""
        return self._closed.is_set()

    def close(self) -> None:
        """End all threads, and whoever waits in ``next``; may be called twice, by any thread."""
        self._closed.set()
        self._news.put([])
        for lookout in self._lookouts:
            lookout.stop()
        for lookout in self._lookouts:
            lookout.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _taken(self, *, block: bool, timeout: float | None = None) -> list[Event]:
        if self._closed.is_set():
            raise queue.Empty
        news = self._news.get(block, timeout)
        if isinstance(news, Exception):
            raise news
        if self._closed.is_set():
            self._news.put([])  # for the next who waits
        return news


class _Lookout:
    """Watches one bus in a thread of its own."""

    def __init__(self, bus: Bus, news: "queue.Queue[list[Event] | Exception]") -> None:
        self._bus = bus
        self._news = news
        way = _way_of(bus.uri)
        self._tracker = Tracker(way.is_whole)
        self._wakeup = way.wakeup()
        self._stopped = threading.Event()
        self._known: Sequence[AttachedDevice] = ()
        self._problem: str | None = None
        self._again = _AGAIN_FIRST
        self._asked = time.monotonic()
        self.has_looked = False
        self._thread = threading.Thread(target=self._run, name=f"watch {bus.uri}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._wakeup.wake()

    def join(self) -> None:
        if self._thread is threading.current_thread():
            return
        self._thread.join(_FAREWELL)
        if not self._thread.is_alive():
            self._wakeup.close()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                events = self._look()
                if events:
                    self._news.put(events)
                self.has_looked |= not self._tracker.unsettled
                self._wakeup.wait(_UNSETTLED if self._tracker.unsettled else None)
        except Exception as failure:  # to be raised where somebody sees it
            self._news.put(failure)

    def _look(self) -> list[Event]:
        try:
            devices, problem = self._bus.devices(self._trusted()), None
        except BusUnavailable as failure:
            devices, problem = (), failure.reason
        self._known = devices
        events = self._tracker.feed(devices, time.monotonic())
        before, self._problem = self._problem, problem
        return events if before == problem else [*events, BusChanged(self._bus.uri, problem)]

    def _trusted(self) -> Sequence[AttachedDevice]:
        """Return what need not be asked again; a device with a problem is, ever more seldom."""
        now = time.monotonic()
        if all(device.facts.problem is None for device in self._known):
            self._again = _AGAIN_FIRST
            self._asked = now
            return self._known
        if not self._tracker.unsettled and now - self._asked < self._again:
            return self._known
        self._again = min(self._again * 2, _AGAIN_LAST)
        self._asked = now
        return [device for device in self._known if device.facts.problem is None]


def _way_of(uri: str) -> _Way:
    scheme = uri.partition(":")[0].lower()
    return _WAYS.get(scheme) or (_NEAR if _is_near(uri) else _FAR)


def _is_near(uri: str) -> bool:
    """Say whether a bus is served on this computer, so that asking it often costs nothing."""
    host = urlsplit(uri).hostname or ""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
