"""Objects in pieces, both ways (PROTOCOL.md 2.3 and 2.4), as the host does it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import sha256
from typing import TypeVar

from usbprov.errors import ProtocolViolation, TransferCorrupt
from usbprov_drivers.smp.messages import (
    MAX_OBJECT,
    PUT,
    Command,
    Kind,
    PieceResponse,
    PutRequest,
    PutResponse,
)
from usbprov_drivers.smp.schema import Record
from usbprov_drivers.smp.session import Prepared, Session

Q = TypeVar("Q", bound=Record)

Counter = Callable[[int], None]
"""Called with the number of bytes that the phone has so far."""


@dataclass(frozen=True)
class Parcel:
    """An object for the phone.

    Attributes:
        kind: What it is.
        content: Its bytes.
        slot: For every kind but a root.
        nonce: For a key only.
        replace: For a key only.
    """

    kind: Kind
    content: bytes = field(repr=False)
    slot: int | None = None
    nonce: bytes | None = None
    replace: bool | None = None

    @cached_property
    def sha(self) -> bytes:
        """SHA-256 of the content."""
        return sha256(self.content).digest()


def send_parcel(session: Session, parcel: Parcel, progress: Counter) -> None:
    """Transfer a parcel, from wherever the phone says that it stands.

    Raises:
        Refusal: The phone refuses a piece.
        ProtocolViolation: The phone asks for nonsense, or asks without end.
    """
    empty = _piece(parcel, 0, b"")
    total = len(parcel.content)
    room = session.buffer - session.size_of(replace(empty, off=MAX_OBJECT)) - 2
    pieces = _Pieces(session, parcel, room)
    off = session.call(PUT, empty).off
    for _ in range(_patience(total, room)):
        if off > total:
            raise ProtocolViolation(session.link.name, f"it wants offset {off} of {total}")
        progress(off)
        if off == total:
            return
        piece, following = pieces.at(off), off + room
        off = session.send(piece, partial(pieces.make, following)).off
    raise ProtocolViolation(session.link.name, "it asks for the same bytes again and again")


class _Pieces:
    """The pieces of a parcel; one is made ready while the phone works on the one before."""

    def __init__(self, session: Session, parcel: Parcel, room: int) -> None:
        self._session = session
        self._parcel = parcel
        self._room = room
        self._ready: dict[int, Prepared[PutResponse]] = {}

    def make(self, off: int) -> None:
        """Make the piece at an offset ready, if there is one."""
        data = self._parcel.content[off : off + self._room]
        if data:
            self._ready = {off: self._session.prepare(PUT, _piece(self._parcel, off, data))}

    def at(self, off: int) -> Prepared[PutResponse]:
        """Return the piece at an offset, at which there is one."""
        if off not in self._ready:
            self.make(off)
        return self._ready[off]


def fetch(session: Session, command: Command[Q, PieceResponse], ask: Callable[[int], Q]) -> bytes:
    """Collect a result in pieces; ``ask`` makes the request for an offset.

    Raises:
        Refusal: The phone refuses.
        ProtocolViolation: The pieces do not fit together.
        TransferCorrupt: The whole does not have the SHA-256 that the phone says.
    """
    first = session.call(command, ask(0))
    whole = bytearray()
    for piece in _pieces(session, command, ask, first):
        whole += piece
    if sha256(whole).digest() != first.sha:
        raise TransferCorrupt(session.link.name, f"the result of {command.name}")
    return bytes(whole)


def _pieces(
    session: Session,
    command: Command[Q, PieceResponse],
    ask: Callable[[int], Q],
    first: PieceResponse,
) -> Iterator[bytes]:
    """Yield the pieces one after the other, checking each against the first."""
    off, piece = 0, first
    for _ in range(_MOST_PIECES + first.len // _LEAST_PIECE):
        end = off + len(piece.data)
        whole_differs = (piece.len, piece.sha) != (first.len, first.sha)
        if whole_differs or piece.off != off or end > first.len:
            raise ProtocolViolation(session.link.name, f"{command.name}: pieces do not fit")
        yield piece.data
        if end == first.len:
            return
        if not piece.data:
            raise ProtocolViolation(session.link.name, f"{command.name}: an empty piece")
        off, piece = end, session.call(command, ask(end))
    raise ProtocolViolation(session.link.name, f"{command.name}: the pieces are too small")


_MOST_PIECES = 16
_LEAST_PIECE = 32
"""A phone's smallest buffer has room for pieces several times as large (PROTOCOL.md 1.3)."""


def _piece(parcel: Parcel, off: int, data: bytes) -> PutRequest:
    return PutRequest(
        parcel.kind,
        off,
        len(parcel.content),
        parcel.sha,
        data,
        parcel.slot,
        parcel.nonce,
        parcel.replace,
    )


def _patience(total: int, room: int) -> int:
    """How many pieces may be sent: twice what is needed, since a restart goes back."""
    return 2 * (total // room + 1) + 16
