"""Which device a REGISTER is for ([MS-SIPAE] 3.3.5.2, [MS-SIPRE] for the derivation)."""

import hashlib
import re
import uuid
from dataclasses import dataclass

from usbprov.lab.registrar.refusals import Refusal, Refused
from usbprov.lab.registrar.values import Address

_NAMESPACE = uuid.UUID("fcacfb03-8a73-46ef-91b1-e5ebeeaba4fe")
_LONGEST_EPID = 16
_URN = re.compile(
    r"<urn:uuid:([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})>", re.IGNORECASE
)


@dataclass(frozen=True)
class Device:
    """A device, as a REGISTER names it.

    Attributes:
        epid: Of ``From``; "" where it was not told.
        instance: Its instance UUID, told or derived; what certificates are published for.
    """

    epid: str
    instance: uuid.UUID


def read_device(sender: Address, contact: Address | None) -> Device:
    """Read the device of a REGISTER.

    Args:
        sender: ``From``, which may have ``epid``.
        contact: ``Contact``, which may have ``+sip.instance``.

    Raises:
        Refused: It names none, or two that differ.
    """
    epid = sender.param("epid")
    if "epid" in sender.params and not epid:
        raise Refused(Refusal.NO_EPID)
    if len(epid) > _LONGEST_EPID:
        raise Refused(Refusal.LONG_EPID)
    told = _instance(contact)
    if not epid and told is None:
        raise Refused(Refusal.NO_ENDPOINT)
    derived = derive_instance(epid) if epid else None
    if told and derived and told != derived:
        raise Refused(Refusal.ENDPOINTS_DIFFER, "+sip.instance is not that of the epid")
    return Device(epid, told or derived or uuid.UUID(int=0))


def derive_instance(epid: str) -> uuid.UUID:
    """Derive the instance UUID from an epid: RFC 4122 4.3, but over little-endian fields."""
    made = hashlib.sha1(_NAMESPACE.bytes_le + epid.encode(), usedforsecurity=False).digest()[:16]
    low, middle, high = uuid.UUID(bytes_le=made).fields[:3]
    high = high & 0x0FFF | 5 << 12
    sequence = made[8] & 0x3F | 0x80
    return uuid.UUID(fields=(low, middle, high, sequence, made[9], int.from_bytes(made[10:])))


def _instance(contact: Address | None) -> uuid.UUID | None:
    value = contact.param("+sip.instance") if contact else ""
    if not value:
        return None
    found = _URN.fullmatch(value)
    if found is None:
        raise Refused(Refusal.ENDPOINTS_DIFFER, "+sip.instance is no UUID")
    return uuid.UUID(found[1])
