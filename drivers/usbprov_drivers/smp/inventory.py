"""What the emulated phone shows of its memory: LIST's pages and the pieces of results."""

from collections.abc import Iterator, Sequence

from usbprov_drivers.smp.cbor import encode_map
from usbprov_drivers.smp.credentials import Refused, digest, not_after
from usbprov_drivers.smp.messages import (
    MAX_OBJECT,
    Item,
    Kind,
    ListResponse,
    PieceResponse,
    Rc,
    SlotPart,
)
from usbprov_drivers.smp.schema import Record, dump_record
from usbprov_drivers.smp.state import Slot, State, StoredKey
from usbprov_drivers.smp.wire import HEADER_SIZE

_HEAD_GROWTH = 2
"""Bytes by which CBOR's head of an array or byte string of up to 64 KiB may grow."""


def page(state: State, start: int, buffer: int) -> ListResponse:
    """Return the items from ``start`` on that fit into a message of ``buffer`` bytes."""
    items = list(_items(state))
    room = buffer - _size(ListResponse(state.rev, (), 0xFFFF)) - _HEAD_GROWTH
    end = start
    while end < len(items) and _size(items[end]) - HEADER_SIZE <= room:
        room -= _size(items[end]) - HEADER_SIZE
        end += 1
    return ListResponse(state.rev, tuple(items[start:end]), end if end < len(items) else None)


def active_object(slot: Slot, kind: Kind) -> bytes | None:
    """Return what is in use; a chain may be empty, anything else is None where it is missing.

    Raises:
        Refused: UNSUPPORTED for a key, which never leaves.
    """
    if kind is Kind.KEY:
        raise Refused(Rc.UNSUPPORTED)
    return slot.chain if kind is Kind.CHAIN else slot.certificate


def piece(whole: bytes, off: int, buffer: int) -> PieceResponse:
    """Return the piece of a result from ``off`` on that fits into a message of ``buffer`` bytes.

    Raises:
        Refused: INVALID if ``off`` lies beyond the end.
    """
    if off > len(whole):
        raise Refused(Rc.INVALID)
    sha = digest(whole)
    room = buffer - _size(PieceResponse(MAX_OBJECT, MAX_OBJECT, sha, b"")) - _HEAD_GROWTH
    return PieceResponse(off, len(whole), sha, whole[off : off + room])


def _items(state: State) -> Iterator[Item]:
    for number, slot in enumerate(state.slots):
        yield from _slot_items(number, slot)
    for root in state.roots:
        yield Item(Kind.ROOT.value, digest(root))


def _slot_items(number: int, slot: Slot) -> Iterator[Item]:
    yield from _key_item(number, SlotPart.ACTIVE, slot.key)
    if slot.certificate is not None:
        end = not_after(slot.certificate)
        sha = digest(slot.certificate)
        yield Item(Kind.CERT.value, sha, SlotPart.ACTIVE, number, not_after=end)
    if slot.chain:
        yield Item(Kind.CHAIN.value, digest(slot.chain), SlotPart.ACTIVE, number)
    yield from _key_item(number, SlotPart.PENDING, slot.pending_key)
    for upload in slot.inbox.uploads:
        if upload.whole and upload.kind is not Kind.KEY:
            yield Item(upload.kind.value, upload.sha, SlotPart.PENDING, number)


def _key_item(number: int, part: SlotPart, key: StoredKey | None) -> Sequence[Item]:
    return [Item(Kind.KEY.value, key.sha, part, number, key.nonce)] if key else []


def _size(record: Record) -> int:
    return HEADER_SIZE + len(encode_map(dump_record(record)))
