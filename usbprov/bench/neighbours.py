"""Benches that share a ledger see each other: a thread that posts this one's ports, and reads.

A bench that is alone posts nothing, and looks once in a while whether another has begun.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from usbprov.bench.feed import Feed, Key, Subscription, View, key_of
from usbprov.bench.others import Others
from usbprov.bench.posting import row_of
from usbprov.bench.views import BenchView
from usbprov.errors import LedgerError
from usbprov.ledger.benches import Benches

logger = logging.getLogger(__name__)

PERIOD = 1.0
"""Seconds between two looks while others run: at most one write, too."""

ALONE_PERIOD = 5.0
"""The same while no other does."""

_ROLL_CALL = 5.0
"""Seconds after which it is asked who runs, though nobody has posted anything."""


class Neighbours:
    """Has other benches see this one, and this one's boards see them. A context manager."""

    def __init__(
        self, registry: Benches, name: str, feed: Feed, next_number: Callable[[], int]
    ) -> None:
        """Prepare; the thread begins with the block.

        Args:
            registry: The ledger's.
            name: This bench's name.
            feed: What its boards read.
            next_number: Gives the numbers of its views.
        """
        self._registry = registry
        self._name = name
        self._feed = feed
        self._next_number = next_number
        self._others = Others(name)
        self._seen = -1
        self._asked = 0.0
        self._own: Subscription | None = None
        self._posted: dict[Key, object] = {}
        self._due: dict[Key, View] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="neighbours", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        is_reached = self._turn()
        while not self._ended.wait(PERIOD if self._others.any_runs else ALONE_PERIOD):
            is_reached = self._turn()
        if is_reached:
            self._turn()  # others see how it ended
        if self._own is not None:
            self._own.close()

    def _turn(self) -> bool:
        """Read what is new, and post what has changed; False: the ledger fails, for now."""
        try:
            self._read()
            self._collect()
            self._post()
        except LedgerError as error:
            logger.warning("other benches are not seen: %s", error)
            return False
        return True

    def _read(self) -> None:
        now = time.monotonic()
        roll_call = self._others.any_runs and now - self._asked >= _ROLL_CALL
        if not roll_call and self._registry.number() == self._seen:
            return
        changes = self._registry.changes(max(self._seen, 0))
        self._seen, self._asked = changes.number, now
        for view in self._others.take(changes):
            self._feed.publish(replace(view, number=self._next_number()))

    def _collect(self) -> None:
        """Look what of this bench's own is to be posted: all of it to whoever has just begun."""
        if not self._others.any_runs:
            if self._own is not None:
                self._own.close()
            self._own = None
            self._posted, self._due = {}, {}
            return
        if self._own is None:
            self._own = self._feed.subscribe()
        for view in self._own.next(0):
            key = key_of(view)
            if key[0] == self._name and self._posted.get(key) != _told(view):
                self._due[key] = view

    def _post(self) -> None:
        if not self._due:
            return
        self._registry.show(self._name, [row_of(view) for view in self._due.values()])
        self._posted |= {key: _told(view) for key, view in self._due.items()}
        self._due = {}


def _told(view: View) -> object:
    """Return what of a view is worth a write when it changes: not each step, nor how far it is."""
    if isinstance(view, BenchView):
        return (view.roster, view.done, view.failed, view.running)
    code = view.trouble.code if view.trouble else ""
    return (view.state, view.hand, view.attempt, code, view.serial, view.user, view.job)
