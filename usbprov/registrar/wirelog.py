"""Messages fit for a log: whole, but what proves the user is shown by its length only."""

import re

from usbprov.net.failures import cleaned
from usbprov.registrar.message import Message

_SECRET = re.compile(
    r'\b(gssapi-data|response|rspauth)([ \t]*=[ \t]*)(?:"([^"]*)"|([^\s,]*))', re.IGNORECASE
)


class Shown:
    """A message in a log's words, which are made only if somebody logs them."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def __str__(self) -> str:
        return shown(self._message)


def shown(message: Message) -> str:
    """Return a message's lines for a log; control characters are gone, the body is a length."""
    fields = (f"{name}: {_without_proofs(value)}" for name, value in message.headers.fields)
    lines = [message.start_line(), *fields, f"[body of {len(message.body)} bytes]"]
    return "\n".join(cleaned(line) for line in lines)


def _without_proofs(value: str) -> str:
    return _SECRET.sub(_length, value)


def _length(found: re.Match[str]) -> str:
    content = found[3] if found[3] is not None else found[4]
    return f'{found[1]}{found[2]}"[{len(content)} characters]"'
