"""The stream of events to one browser."""

import asyncio
import json
from collections.abc import AsyncIterator

from usbprov.bench.web.relay import Relay
from usbprov.bench.web.wire import Json

BEAT_SECONDS = 3.0
"""Something is sent at least so often, so that a browser notices a connection that is dead."""

_PAUSE = 0.1
"""Seconds between two events: more than ten pictures a second nobody can read."""


def event(name: str, data: Json) -> bytes:
    """Write a server-sent event (WHATWG HTML, section 9.2.6): one line of ASCII JSON."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")


class _Waker:
    """Lets a thread wake a coroutine."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def __call__(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> bool:
        """Wait until it is woken; False after so many seconds."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return False
        self._event.clear()
        return True


async def events(relay: Relay) -> AsyncIterator[bytes]:
    """Yield the whole state, then what changes, until the bench ends."""
    waker = _Waker()
    relay.listen(waker)
    revision = phones = 0
    try:
        while True:
            has_ended = relay.ended
            revision, phones, told = relay.news(revision, phones)
            yield event("state", told)
            if has_ended:
                break
            await asyncio.sleep(_PAUSE)
            while not await waker.wait(BEAT_SECONDS):
                yield event("beat", {})
        yield event("end", {})
    finally:
        relay.leave(waker)
