"""One event of a tape, and the JSON that it is written in. Bytes are base64 in a map of one key."""

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

BYTES = "$bytes"
REMOVED = "$removed"
"""In place of bytes that are not shown, with their number."""

FORMAT = 1
"""The format of the tape that this version writes and reads."""


class Kind(StrEnum):
    """What kind of event a line of the tape is."""

    RUN = "run"
    """The first of a tape: the version, the moment, the order, the device."""
    STEP_BEGUN = "step-begun"
    STEP_ENDED = "step-ended"
    RETRY = "retry"
    AWAITED = "awaited"
    """The phone went, and is waited for."""
    JOB = "job"
    """The job's number in the ledger, and what the ledger held of it before."""
    CABLE = "cable"
    """Something was done to the cable, or failed on it: open, write, read, resync."""
    SENT = "sent"
    RECEIVED = "received"
    ASKED = "asked"
    """Somebody else was asked something, over a port."""
    TOLD = "told"
    """The answer, or the error instead of it."""
    SIP = "sip"
    """A message to or from a Registrar; for people, it is not played."""
    DRAWN = "drawn"
    """A public random value of this side."""
    CUT = "cut"
    """From here on the tape has steps only: it was full."""
    ENDED = "ended"
    """The last of a tape, unless the program was killed."""


STEPS = frozenset({Kind.RUN, Kind.STEP_BEGUN, Kind.STEP_ENDED, Kind.JOB, Kind.CUT, Kind.ENDED})
"""What is written even to a tape that is full."""


@dataclass(frozen=True)
class Event:
    """One line of a tape.

    Attributes:
        at: Seconds since the tape began.
        kind: What happened.
        body: The rest, by kind.
    """

    at: float
    kind: Kind
    body: Mapping[str, Json] = field(default_factory=dict)

    def line(self) -> str:
        """Write it, with the line's end."""
        whole = {"at": round(self.at, 4), "kind": self.kind.value, **self.body}
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n"


def read_event(line: str) -> Event:
    """Read one line.

    Raises:
        ValueError: It is not an event.
    """
    try:
        whole = json.loads(line)
    except RecursionError:
        raise ValueError("a line is nested too deep") from None
    if not isinstance(whole, dict):
        raise ValueError("a line is no map")  # noqa: TRY004 - one kind for the caller
    at, kind = whole.pop("at", None), whole.pop("kind", None)
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < 1e9:
        raise ValueError("a line has no time")
    return Event(float(at), Kind(str(kind)), whole)


def packed(value: object) -> Json:
    """Turn a value into JSON; what JSON cannot say becomes the name of its type."""
    match value:
        case bytes() | bytearray():
            return {BYTES: b64encode(value).decode("ascii")}
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(key): packed(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [packed(item) for item in value]
    return f"({type(value).__name__})"


def unpacked(value: Json, depth: int = 0) -> object:
    """Turn JSON back; bytes that were removed come back as so many zeros.

    Raises:
        ValueError: Bytes are not base64, more were removed than one message can have, or it is
            nested too deep.
    """
    if depth > _DEEPEST:
        raise ValueError("it is nested too deep")
    if isinstance(value, list):
        return [unpacked(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {BYTES}:
        return bytes_of(value)
    if value.keys() == {REMOVED}:
        return bytes(removed_size(value))
    return {key: unpacked(item, depth + 1) for key, item in value.items()}


def bytes_of(value: Json) -> bytes:
    """Return packed bytes; raises ``ValueError``."""
    text = value.get(BYTES) if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise ValueError("bytes are missing")  # noqa: TRY004
    try:
        return b64decode(text, validate=True)
    except Base64Error:
        raise ValueError("bytes are not base64") from None


_MOST_REMOVED = 1 << 20
_DEEPEST = 32


def removed_size(value: Mapping[str, Json]) -> int:
    """Return how many bytes were removed; raises ``ValueError``."""
    size = value.get(REMOVED)
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= _MOST_REMOVED:
        raise ValueError("the size of what was removed is wrong")
    return size


def text(value: Json, most: int = 4096) -> str:
    """Return a text of a tape, fit to be shown: without control characters, cut."""
    words = value if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words[:most])


def number(value: Json) -> float:
    """Return a number of a tape, or 0."""
    return float(value) if isinstance(value, int | float) and abs(value) < 1e12 else 0.0
