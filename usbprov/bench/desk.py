"""One port as it stands: turns what happens there into the views that the boards show."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

from usbprov.bench.feed import Feed
from usbprov.bench.states import STEP_STATES, PortState
from usbprov.bench.views import PortView, StepView, Trouble
from usbprov.engine.events import (
    Event,
    PhoneAwaited,
    StepBegun,
    StepEnded,
    StepProgress,
    StepRetry,
)
from usbprov.phone.contract import PhoneInfo

_NOTHING: dict[str, Any] = {
    "phone": "",
    "serial": "",
    "mac": "",
    "user": "",
    "name": "",
    "step": "",
    "percent": None,
    "attempt": 1,
    "job": None,
    "hand": "",
    "asks": "",
    "thumbprint": "",
    "not_after": None,
    "trouble": None,
    "steps": (),
}
"""A port at which nothing is known of any phone."""


class Numbers:
    """Numbers that grow, for all views of a bench. Thread-safe."""

    def __init__(self) -> None:
        self._count: Iterator[int] = count(1)

    def next(self) -> int:
        """Return the next one; ``count`` is one call of C, which no other thread interrupts."""
        return next(self._count)


class Desk:
    """What a port shows. Thread-safe; every change is published."""

    def __init__(self, bench: str, label: str, address: str, feed: Feed, numbers: Numbers) -> None:
        self._feed = feed
        self._numbers = numbers
        self._lock = threading.Lock()
        self._view = PortView(
            bench, label, address, PortState.EMPTY, numbers.next(), datetime.now(UTC)
        )

    @property
    def view(self) -> PortView:
        """The port as it is now."""
        return self._view

    @property
    def label(self) -> str:
        """What the operator calls the port."""
        return self._view.label

    @property
    def state(self) -> PortState:
        """What it is doing."""
        return self._view.state

    def show(self, state: PortState | None = None, **changes: Any) -> None:
        """Change what is shown, by the fields of ``PortView``; and say when the state began."""
        with self._lock:
            self._change(state, changes)

    def clear(self, state: PortState) -> None:
        """Show the port in a state, and nothing of any phone."""
        with self._lock:
            self._change(state, dict(_NOTHING))

    def identified(self, info: PhoneInfo) -> None:
        """Show which phone it is."""
        model = f"{info.vendor} {info.model}"
        self.show(PortState.IDENTIFYING, phone=model, serial=info.serial, mac=info.mac, hand="")

    def failed(self, trouble: Trouble) -> None:
        """Show that the phone stands failed."""
        self.show(PortState.FAILED, step="", percent=None, trouble=trouble, hand="")

    def away(self) -> None:
        """Show that the phone was pulled before it was done."""
        self.show(PortState.AWAY, step="", percent=None, hand="plug the phone in again")

    def retrying(self, trouble: Trouble) -> None:
        """Show what is going to be tried again, in the state in which it failed."""
        self.show(step="", percent=None, trouble=trouble, hand="")

    def told(self, event: Event) -> None:
        """Show an event of the job."""
        with self._lock:
            if isinstance(event, StepBegun):
                changes = {"step": event.step, "percent": None}
                self._change(STEP_STATES[event.step], changes)
            elif isinstance(event, StepProgress):
                self._progress(event.percent)
            elif isinstance(event, StepEnded):
                self._ended(event)
            elif isinstance(event, StepRetry):
                error = event.retry.error
                trouble = Trouble(error.code, str(event.retry), error.cause, error.remedy, True)
                self._change(None, {"trouble": trouble})
            elif isinstance(event, PhoneAwaited):
                self._change(None, {"hand": "plug the phone in again"})

    def _progress(self, percent: int) -> None:
        if percent != self._view.percent:
            self._change(None, {"percent": percent})

    def _ended(self, event: StepEnded) -> None:
        step = StepView(event.step, event.mark, event.ms, event.learnt)
        earlier = tuple(s for s in self._view.steps if s.name != step.name)
        changes = {"steps": (*earlier, step), "percent": None, "trouble": None, "hand": ""}
        self._change(None, changes)

    def _change(self, state: PortState | None, changes: dict[str, Any]) -> None:
        """Make the next view and publish it; the lock is held, so that the numbers are in order."""
        before = self._view
        changes = {**changes, "number": self._numbers.next()}
        if state is not None and state is not before.state:
            changes |= {"state": state, "since": datetime.now(UTC)}
        self._view = before.changed(changes)
        self._feed.publish(self._view)
