"""Ports: where a job meets what it cannot know beforehand, and where that is recorded or played."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from usbprov.errors import UsbprovError
from usbprov.tape.deck import player, recorder
from usbprov.tape.events import Json, Kind
from usbprov.tape.failures import error_document

T = TypeVar("T")


def _nothing() -> Mapping[str, object]:
    return {}


@dataclass(frozen=True)
class Port(Generic[T]):
    """How what passes a port is written and read.

    Attributes:
        name: Which port.
        key: What is asked, in a line without secrets; a replay must ask the same.
        tell: Writes a result, without its secrets.
        revive: Makes a result of what was written, with stand-ins for the secrets; may raise
            ``ValueError`` or ``TypeError``.
        details: More of the question, without secrets; called only when it is recorded.
    """

    name: str
    key: str
    tell: Callable[[T], object]
    revive: Callable[[Json], T]
    details: Callable[[], Mapping[str, object]] = _nothing


def passing(port: Port[T], call: Callable[[], T]) -> T:
    """Make a call, and record how it ended; in a replay, end as recorded and call nobody.

    What is recorded while the call lasts is a part of it: a replay passes it over.

    Raises:
        UsbprovError: The call's own, or the recorded one.
    """
    playing = player()
    if playing is not None:
        return playing.answer(port)
    to = recorder()
    if to is None:
        return call()
    head = {"port": port.name, "key": port.key}
    to.note(Kind.ASKED, head | dict(port.details()))
    try:
        result = call()
    except UsbprovError as error:
        to.note(Kind.TOLD, head | {"error": error_document(error)})
        raise
    to.note(Kind.TOLD, head | {"result": port.tell(result)})
    return result


def plain(name: str, call: Callable[[], bool]) -> bool:
    """Pass a port whose answer is yes or no."""
    return passing(Port(name, name, bool, bool), call)


def draw(name: str, size: int) -> bytes:
    """Return random bytes that are no secret: a nonce, a name. In a replay, the recorded ones."""
    playing = player()
    if playing is not None:
        return playing.drawn(name, size)
    value = secrets.token_bytes(size)
    to = recorder()
    if to is not None:
        to.note(Kind.DRAWN, {"name": name, "value": value})
    return value
