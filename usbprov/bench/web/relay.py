"""Between the bench's feed and the browsers: one reader for all of them, on a thread of its own.

Every browser gets the whole state when it connects, then what has changed since it was last
written to. So one that is slow, was away or was reloaded gets the newest of everything and holds
nobody up, and each view is made JSON once.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from usbprov.bench.feed import Feed, View, bench_of
from usbprov.bench.portmap import Layout, PortMap, plain_address
from usbprov.bench.views import BenchView, PortView
from usbprov.bench.web import wire
from usbprov.bench.web.figures import Figures
from usbprov.bench.web.wire import Json

_log = logging.getLogger(__name__)

_WAIT = 0.5
"""Seconds after which the reader looks whether it is to end."""


class Relay:
    """Keeps what the browsers are to see. Thread-safe."""

    def __init__(self, feed: Feed, name: str, layout: Layout) -> None:
        """Subscribe; nothing is read before ``start``.

        Args:
            feed: Where views come from.
            name: The bench whose ports the layout is of; "" takes the first that is heard of.
            layout: How this bench's hubs lie. Those of other benches are guessed.
        """
        self._views = feed.subscribe()
        self._name = name
        self._layout = layout
        self._lock = threading.Lock()
        self._revision = 1
        self._figures = Figures()
        self._ports: dict[tuple[str, str], tuple[int, Json]] = {}
        self._benches: dict[str, tuple[int, Json]] = {}
        self._places: dict[str, dict[str, str]] = {}
        self._hubs: tuple[int, list[Json]] = (0, [])
        self._steps: tuple[int, list[Json]] = (0, [])
        self._wakers: set[Callable[[], None]] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._read, name="board-relay", daemon=True)
        self._lay_out()

    def start(self) -> None:
        """Begin to read the feed."""
        self._thread.start()

    def close(self) -> None:
        """End, and tell all who listen."""
        self._ending.set()
        self._views.close()
        if self._thread.is_alive():
            self._thread.join()
        self._wake()

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self._ending.is_set()

    @property
    def name(self) -> str:
        """The bench whose ports may be commanded here."""
        return self._name

    def listen(self, waker: Callable[[], None]) -> None:
        """Call ``waker``, from any thread, whenever there is news."""
        with self._lock:
            self._wakers.add(waker)

    def leave(self, waker: Callable[[], None]) -> None:
        """Call it no more."""
        with self._lock:
            self._wakers.discard(waker)

    def news(self, since: int, phones: int) -> tuple[int, int, Json]:
        """Return what is newer than a revision: nothing is older than 0, so that means all.

        Args:
            since: The revision that the browser has.
            phones: How many phones that were done it knows of.

        Returns:
            The revision and the number of phones that the browser has with this, and the JSON.
        """
        with self._lock:
            told: Json = {"now": time.time()}
            if since == 0:
                told |= {"whole": True, "name": self._name}
            for key, (revision, value) in self._parts().items():
                if revision > since or since == 0:
                    told[key] = value
            told["ports"] = [json for at, json in self._ports.values() if at > since]
            told["benches"] = [json for at, json in self._benches.values() if at > since]
            told["finished"] = self._figures.latest(phones)
            return self._revision, self._figures.count, told

    def _parts(self) -> dict[str, tuple[int, object]]:
        return {"hubs": self._hubs, "steps": self._steps}

    def _read(self) -> None:
        try:
            while not self._ending.is_set():
                views = self._views.next(_WAIT)
                if views:
                    self._take(views)
                    self._wake()
        except Exception:  # the bench goes on; a browser that still listens is told
            _log.exception("the board on the web has failed")
            self._ending.set()
            self._wake()

    def _take(self, views: Sequence[View]) -> None:
        with self._lock:
            self._revision += 1
            if not self._name:
                self._name = bench_of(views[0])
                self._lay_out()
            for view in views:
                if isinstance(view, BenchView):
                    self._benches[view.name] = (self._revision, wire.bench(view))
            self._take_ports([view for view in views if isinstance(view, PortView)])

    def _take_ports(self, views: Sequence[PortView]) -> None:
        is_moved = False
        for view in views:
            self._ports[view.bench, view.label] = (self._revision, wire.port(view))
            places = self._places.setdefault(view.bench, {})
            address = plain_address(view.address)
            is_moved |= places.get(address) != view.label
            places[address] = view.label
        known = self._figures.count
        self._figures.take(views)
        if self._figures.count > known:
            self._steps = (self._revision, self._figures.steps())
        if is_moved:
            self._lay_out()

    def _lay_out(self) -> None:
        """Work out where every tile lies: this bench first, then the others by name."""
        others = sorted(set(self._places) - {self._name})
        hubs = self._hubs_of(self._name, self._layout)
        for bench in others:
            hubs += self._hubs_of(bench, PortMap(bench).layout)
        self._hubs = (self._revision, hubs)

    def _hubs_of(self, bench: str, layout: Layout) -> list[Json]:
        places = self._places.get(bench, {})
        return wire.hubs(bench, layout(filter(None, places)), places)

    def _wake(self) -> None:
        with self._lock:
            wakers = list(self._wakers)
        for waker in wakers:
            waker()
