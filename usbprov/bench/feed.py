"""The one stream of views: whoever shows the bench subscribes, and misses nothing that counts."""

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from usbprov.bench.views import BenchView, PortView

View = PortView | BenchView

Key = tuple[str, str | None]


class Subscription:
    """What one reader has not seen yet. Thread-safe; close it.

    Of each port only the newest view waits: a slow reader misses what was in between, and never
    holds anybody up.
    """

    def __init__(self, feed: "Feed") -> None:
        self._feed = feed
        self._news = threading.Condition()
        self._waiting: dict[Key, View] = {}
        self._closed = False

    def next(self, timeout: float | None = None) -> list[View]:
        """Wait for views that are new; none came within ``timeout`` seconds, or closed: empty."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._closed, timeout)
            found, self._waiting = list(self._waiting.values()), {}
        return sorted(found, key=lambda view: view.number)

    def __iter__(self) -> Iterator[View]:
        """Yield views until the subscription is closed."""
        while not self._closed:
            yield from self.next()

    def close(self) -> None:
        """End it, and whoever waits in ``next``; may be called twice, by any thread."""
        self._feed.forget(self)
        with self._news:
            self._closed = True
            self._news.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def put(self, view: View) -> None:
        """Take a view; of the same port it replaces the one that waits, unless that is newer."""
        with self._news:
            key = key_of(view)
            older = self._waiting.get(key)
            if older is None or older.number < view.number:
                self._waiting[key] = view
                self._news.notify_all()


class Feed:
    """Keeps the latest view of each port and bench, and tells the subscribers. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[Key, View] = {}
        self._readers: tuple[Subscription, ...] = ()

    def publish(self, view: View) -> None:
        """Take a view; one that is older than what is known already is dropped."""
        with self._lock:
            key = key_of(view)
            older = self._latest.get(key)
            if older is not None and older.number >= view.number:
                return
            self._latest[key] = view
            for reader in self._readers:
                reader.put(view)

    def latest(self) -> list[View]:
        """Return the latest view of each port and bench, in the order of their numbers."""
        with self._lock:
            return sorted(self._latest.values(), key=lambda view: view.number)

    def subscribe(self) -> Subscription:
        """Begin to read: the latest views wait already."""
        reader = Subscription(self)
        with self._lock:
            for view in self._latest.values():
                reader.put(view)
            self._readers = (*self._readers, reader)
        return reader

    def forget(self, reader: Subscription) -> None:
        """Tell a subscription no more."""
        with self._lock:
            self._readers = tuple(other for other in self._readers if other is not reader)


def bench_of(view: View) -> str:
    """Return the name of the bench that a view is of."""
    return view.bench if isinstance(view, PortView) else view.name


def key_of(view: View) -> Key:
    """Return what a view is of: a port, or a bench as a whole."""
    return (view.bench, view.label) if isinstance(view, PortView) else (view.name, None)
