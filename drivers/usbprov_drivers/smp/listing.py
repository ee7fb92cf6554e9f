"""What the phone holds, from LIST (PROTOCOL.md 4.6): pages to slots and roots."""

from collections.abc import Iterator, Sequence

from usbprov.errors import ProtocolViolation
from usbprov.phone.contract import KeyState, SlotState
from usbprov_drivers.smp.messages import LIST, Item, Kind, ListRequest, SlotPart
from usbprov_drivers.smp.session import Session

_MOST_ITEMS = 4096
_MOST_TRIES = 8


def read_items(session: Session) -> list[Item]:
    """Read all pages; begins anew if the phone's state changes meanwhile.

    Raises:
        ProtocolViolation: The pages have no end, or the state never rests.
    """
    for _ in range(_MOST_TRIES):
        items = _read_pages(session)
        if items is not None:
            return items
    raise ProtocolViolation(session.link.name, "LIST: its state changes without end")


def _read_pages(session: Session) -> list[Item] | None:
    page = session.call(LIST, ListRequest())
    rev, items = page.rev, list(page.items)
    while page.next is not None:
        if page.next != len(items) or len(items) > _MOST_ITEMS:
            raise ProtocolViolation(session.link.name, "LIST: pages do not fit")
        page = session.call(LIST, ListRequest(page.next))
        if page.rev != rev:
            return None
        if not page.items:
            raise ProtocolViolation(session.link.name, "LIST: an empty page")
        items += page.items
    return items


def roots(items: Sequence[Item]) -> frozenset[str]:
    """Return the digests of the trusted roots, lower-case hex."""
    return frozenset(item.sha.hex() for item in items if item.kind == Kind.ROOT.value)


def slot_states(phone: str, items: Sequence[Item], slots: int) -> Iterator[SlotState]:
    """Yield the state of every slot, by number.

    Raises:
        ProtocolViolation: A key has no nonce, or comes twice.
    """
    for number in range(slots):
        mine = {(i.kind, i.state): i for i in items if i.slot == number}
        if len(mine) != sum(i.slot == number for i in items):
            raise ProtocolViolation(phone, "LIST: an item comes twice")
        certificate = mine.get((Kind.CERT.value, SlotPart.ACTIVE))
        yield SlotState(
            number,
            _key(phone, mine.get((Kind.KEY.value, SlotPart.ACTIVE))),
            certificate.sha.hex() if certificate else None,
            _key(phone, mine.get((Kind.KEY.value, SlotPart.PENDING))),
        )


def holds(slot: SlotState) -> str:
    """Say in words what a slot holds."""
    parts = (
        (slot.active_certificate, "a certificate in use"),
        (slot.active_key and not slot.active_certificate, "a key in use"),
        (slot.pending_key, "a key not yet in use"),
    )
    return " and ".join(words for there, words in parts if there) or "nothing"


def _key(phone: str, item: Item | None) -> KeyState | None:
    if item is None:
        return None
    if item.nonce is None:
        raise ProtocolViolation(phone, "LIST: a key without a nonce")
    return KeyState(item.sha.hex(), item.nonce)
