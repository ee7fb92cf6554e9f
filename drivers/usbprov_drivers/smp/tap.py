"""What of the cable's messages may be recorded, and how they are answered again in a replay.

A message is kept as the record that its command has (PROTOCOL.md 3 and 4): fields that no record
has are dropped, and so are the two that are secret: the pieces of a private key that a host gives,
and the signatures that a phone makes to be let in somewhere. No I/O.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from hashlib import sha256
from typing import Any

from usbprov.phone.tap import Note
from usbprov.tape.events import REMOVED, Json, removed_size, text, unpacked
from usbprov.usb.devices import LinkKind
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.framing import LineCode, LineDecoder
from usbprov_drivers.smp.wire import MAX_MESSAGE, Decoder, MalformedMessage, Message, Op, Version

_COMMANDS: Mapping[tuple[bool, int, int], m.Command[Any, Any]] = {
    (command.op is Op.WRITE, command.group, command.number): command
    for command in vars(m).values()
    if isinstance(command, m.Command)
}
_WRITES = frozenset({Op.WRITE, Op.WRITE_RESPONSE})
_ERRORS = frozenset({"err", "rc"})
_NEVER_SHOWN = frozenset({m.SIGN.name})
"""Commands whose result lets somebody in."""

_GARBAGE = b"\xff"
"""Neither a header nor a map: in the place of what could not be read."""


class SmpTap:
    """Follows one cable; a ``Tap``."""

    def __init__(self, kind: LinkKind) -> None:
        """Follow a cable of a kind that was just opened."""
        self._sent, self._received = _decoder(kind), _decoder(kind)
        self._kind_asked = ""
        self._then: Mapping[str, Json] = {}
        self._now: Message | None = None
        self._code: LineCode | None = None

    def sent(self, data: bytes) -> Sequence[Note]:
        """Describe requests; see ``Tap``."""
        notes = []
        for code, message in self._messages(self._sent, data):
            self._code = code
            self._now = message
            notes.append(self._described(message))
        return notes

    def received(self, data: bytes) -> Sequence[Note]:
        """Describe responses; see ``Tap``."""
        try:
            return [self._described(one) for _, one in self._messages(self._received, data)]
        except MalformedMessage:
            return [{"name": "malformed", "size": len(data)}]

    def resync(self) -> None:
        """Forget incomplete messages; see ``Tap``."""
        self._sent.reset()
        self._received.reset()

    # --- recording

    @staticmethod
    def _messages(
        decoder: "Decoder | LineDecoder", data: bytes
    ) -> Iterable[tuple[LineCode | None, Message]]:
        if isinstance(decoder, LineDecoder):
            return decoder.feed(data)
        return [(None, message) for message in decoder.feed(data)]

    def _described(self, message: Message) -> Note:
        command = _command(message)
        head: dict[str, object] = {
            "name": command.name if command else "unknown",
            "op": int(message.op),
            "group": message.group,
            "command": message.command,
            "sequence": message.sequence,
            "size": len(message.payload),
        }
        try:
            content = decode_map(message.payload)
        except MalformedMessage:
            return head
        return head | {"map": self._public(message, command, content)} if command else head

    def _public(
        self, message: Message, command: "m.Command[Any, Any]", content: dict[str, object]
    ) -> dict[str, object]:
        request = message.op in {Op.READ, Op.WRITE}
        record = command.request if request else command.answer
        known = {field.name for field in fields(record)} | (set() if request else _ERRORS)
        kept = {name: value for name, value in content.items() if name in known}
        if request:
            self._kind_asked = str(content.get("kind", ""))
        secret = self._kind_asked == m.Kind.KEY.value and command in {m.PUT, m.GET}
        data = kept.get("data")
        if (secret or command.name in _NEVER_SHOWN) and isinstance(data, bytes):
            kept["data"] = {REMOVED: len(data)}
        return kept

    # --- a replay

    def matches(self, recorded: Mapping[str, Json], sent: Note) -> bool:
        """Compare the commands, not what they carry; see ``Tap``."""
        self._then = recorded
        return all(recorded.get(name) == sent.get(name) for name in ("op", "group", "command"))

    def answer(self, recorded: Mapping[str, Json]) -> bytes:
        """Write a recorded response anew, for the request of now; see ``Tap``."""
        if recorded.get("name") == "malformed":
            return _GARBAGE * 8
        message = self._fitted(_message(recorded), recorded)
        encoded = message.encode()
        return encoded if self._code is None else self._code.encode(encoded)

    def _fitted(self, message: Message, recorded: Mapping[str, Json]) -> Message:
        now, then = self._now, self._then.get("sequence")
        if now is None or not isinstance(then, int):
            raise ValueError("an answer without a question")
        sequence = (now.sequence + message.sequence - then) % 256
        return message._replace(sequence=sequence, payload=self._payload(recorded))

    def _payload(self, recorded: Mapping[str, Json]) -> bytes:
        content = recorded.get("map")
        if not isinstance(content, dict):
            return _GARBAGE * removed_size({REMOVED: recorded.get("size")})
        values = unpacked(content)
        if not isinstance(values, dict):
            raise ValueError("a message is no map")  # noqa: TRY004 - one kind for the caller
        return encode_map(values | self._echoed(content) | _digest_of_removed(content, values))

    def _echoed(self, content: Mapping[str, Json]) -> dict[str, object]:
        """Return the text that is to come back, where it came back then."""
        asked = self._then.get("map")
        if self._now is None or not isinstance(asked, dict) or "d" not in asked:
            return {}
        same = text(content.get("r")) == text(asked.get("d"))
        now = decode_map(self._now.payload)
        return {"r": now.get("d")} if same else {}


def _digest_of_removed(
    content: Mapping[str, Json], values: Mapping[str, object]
) -> dict[str, object]:
    """Return the digest of a result whose pieces were removed, and are zeros now."""
    data, length = content.get("data"), values.get("len")
    if not (isinstance(data, dict) and REMOVED in data and isinstance(length, int)):
        return {}
    return {"sha": sha256(bytes(removed_size({REMOVED: length}))).digest()}


def _decoder(kind: LinkKind) -> "Decoder | LineDecoder":
    return Decoder(MAX_MESSAGE) if kind is LinkKind.BULK else LineDecoder(MAX_MESSAGE)


def _command(message: Message) -> "m.Command[Any, Any] | None":
    return _COMMANDS.get((message.op in _WRITES, message.group, message.command))


def _message(recorded: Mapping[str, Json]) -> Message:
    """Return the header of a recorded message; raises ``ValueError``."""
    op, group, command, sequence = (
        _unsigned(recorded.get(name), bits)
        for name, bits in (("op", 3), ("group", 16), ("command", 8), ("sequence", 8))
    )
    return Message(Op(op), group, command, sequence, b"", Version.SMP2)


def _unsigned(value: Json, bits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or value >> bits:
        raise ValueError("a message without a header")
    return value
