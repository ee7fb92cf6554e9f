"""What is documented of firmware versions: which ones cannot work, and what is to be done.

Only what somebody has published of these phones is here; of any other model or version nothing is
said. The sources: Microsoft's method table and J. Schertz on Lync Phone Edition firmware (2013),
as the protocol notes have them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from usbprov.phone.contract import PhoneInfo

_PHONE_EDITION = frozenset(
    {"cx500", "cx600", "cx700", "cx3000", "ip8540", "4110", "4120", "6721ip", "6725ip"}
)
"""The models with Communicator or Lync Phone Edition, in lower case."""

_OLDEST_THAT_REGISTERS = (3, 5, 6907, 187)
_OLDEST_SUPPORTED = (4, 0, 7577, 4363)
"""Lync Server 2013 supports phones from CU7 on."""


@dataclass(frozen=True)
class FirmwareTrouble:
    """What is known against a version.

    Attributes:
        below: It concerns versions before this one; None concerns all.
        words: What happens.
        cause: Why.
        remedy: What to do.
        hopeless: Whether the phone cannot sign in with it.
    """

    below: tuple[int, ...] | None
    words: str
    cause: str
    remedy: str
    hopeless: bool


_UPDATE = (
    "Update the firmware, from 1.0 by way of 3.5.6907; the pool's device update service has it."
)

_TROUBLES: Sequence[FirmwareTrouble] = (
    FirmwareTrouble(
        _OLDEST_THAT_REGISTERS,
        "Lync Server 2013 answers 401 to every sign-in of this version",
        "The oldest firmware that was seen to sign in there is 3.5.6907.187.",
        _UPDATE,
        hopeless=True,
    ),
    FirmwareTrouble(
        _OLDEST_SUPPORTED,
        "this version is older than Lync Server 2013 supports (4.0.7577.4363, CU7)",
        "It may sign in, but nobody vouches for it.",
        _UPDATE,
        hopeless=False,
    ),
    FirmwareTrouble(
        None,
        "this firmware speaks TLS 1.0 and no newer version",
        "Phone Edition was not made for TLS 1.2.",
        "Keep TLS 1.0 on at the servers that these phones talk to, or replace the phones.",
        hopeless=False,
    ),
)
"""The worst first."""


def firmware_troubles(info: PhoneInfo) -> tuple[FirmwareTrouble, ...]:
    """Return what is known against a phone's firmware; nothing for models of which none is."""
    if _PHONE_EDITION.isdisjoint(info.model.lower().split()):
        return ()
    version = version_of(info.firmware)
    return tuple(t for t in _TROUBLES if t.below is None or (version and version < t.below))


def version_of(text: str) -> tuple[int, ...]:
    """Read a dotted version; what is none is empty, and so older and newer than nothing."""
    parts = text.strip().split(".")
    return tuple(map(int, parts)) if all(p.isascii() and p.isdigit() for p in parts) else ()
