"""Who records, or plays, what this thread does; kept in context variables, usually nobody."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from usbprov.tape.events import Kind

if TYPE_CHECKING:
    from usbprov.tape.player import Player


class Recorder(Protocol):
    """Takes down events. It never raises: no job fails because it cannot be recorded."""

    def note(self, kind: Kind, body: Mapping[str, object]) -> None:
        """Take down what happened; it holds no secret."""
        ...

    def hide(self, secrets: Iterable[str]) -> None:
        """Never write these texts, whoever says them: a server may give back what it was sent."""
        ...

    def hidden(self, text: str) -> str:
        """Return a text of somebody else's without the secrets that are known."""
        ...


_recorder: ContextVar[Recorder | None] = ContextVar("usbprov_recorder", default=None)
_player: ContextVar["Player | None"] = ContextVar("usbprov_player", default=None)


def recorder() -> Recorder | None:
    """Return who records here, or None."""
    return _recorder.get()


def player() -> "Player | None":
    """Return who plays here, or None: then the world is real."""
    return _player.get()


@contextmanager
def recording(to: Recorder) -> Iterator[None]:
    """Have all that this thread does in the block recorded."""
    token = _recorder.set(to)
    try:
        yield
    finally:
        _recorder.reset(token)


@contextmanager
def playing(by: "Player") -> Iterator[None]:
    """Have all that this thread asks of the world in the block answered by a player."""
    token = _player.set(by)
    try:
        yield
    finally:
        _player.reset(token)


def hide(secrets: Iterable[str]) -> None:
    """Tell the recorder, if there is one, what must not be written."""
    to = _recorder.get()
    if to is not None:
        to.hide(secrets)
