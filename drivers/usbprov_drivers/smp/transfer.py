"""Objects in pieces, both ways (PROTOCOL.md 2.3 and 2.4), as the host does it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
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
    total = len(parcel.content)
    pieces = _Pieces(session, parcel)
    off = session.send(pieces.empty(), pieces.make_next).off
    for _ in range(_patience(total, pieces.room)):
        if off > total:
            raise ProtocolViolation(session.link.name, f"it wants offset {off} of {total}")
        progress(off)
        if off == total:
            return
        off = session.send(pieces.at(off), pieces.make_next).off
    raise ProtocolViolation(session.link.name, "it asks for the same bytes again and again")


class _Pieces:
    """The pieces of a parcel; one is made ready while the phone works on the one before."""

    def __init__(self, session: Session, parcel: Parcel) -> None:
        self._session = session
        self._parcel = parcel
        self._next = 0
        self._ready: dict[int, Prepared[PutResponse]] = {}

    @cached_property
    def room(self) -> int:
        """How many bytes of the object fit into one message."""
        longest = _piece(self._parcel, MAX_OBJECT, b"")
        return self._session.buffer - self._session.size_of(longest) - _LONGER_DATA

    def empty(self) -> Prepared[PutResponse]:
        """Return the piece without bytes, which asks where the phone stands."""
        return self._session.prepare(PUT, _piece(self._parcel, 0, b""))

    def at(self, off: int) -> Prepared[PutResponse]:
        """Return the piece at an offset, at which there is one."""
        if off not in self._ready:
            self._make(off)
        self._next = off + self.room
        return self._ready[off]

    def make_next(self) -> None:
        """Make ready what follows on the piece last returned, if the object goes on there.

        At first that is its beginning: most phones have nothing of it.
        """
        if self._next < len(self._parcel.content):
            self._make(self._next)

    def _make(self, off: int) -> None:
        data = self._parcel.content[off : off + self.room]
        self._ready = {off: self._session.prepare(PUT, _piece(self._parcel, off, data))}


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


_LONGER_DATA = 2
"""Bytes by which the head of a byte string grows when it is no longer empty (RFC 8949 3.1)."""

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
