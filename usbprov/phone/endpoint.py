"""The endpoint identity of a phone: epid and instance UUID, the same in every protocol.

The DeviceId of a published certificate, the Context of a Web ticket request and SIP's
``+sip.instance`` all are the instance UUID, which derives from the epid (``protocol.md`` 5.1;
[MS-SIPRE] and [MS-SIPAE] 3.3.5.2).
"""

import hashlib
import uuid
from dataclasses import dataclass

_NAMESPACE = uuid.UUID("fcacfb03-8a73-46ef-91b1-e5ebeeaba4fe")


@dataclass(frozen=True)
class Endpoint:
    """The identity of one phone towards the servers.

    Attributes:
        epid: Ten lower-case hex digits.
    """

    epid: str

    @property
    def instance(self) -> uuid.UUID:
        """The instance UUID: version 5 made over little-endian bytes, as the servers do."""
        digest = hashlib.sha1(_NAMESPACE.bytes_le + self.epid.encode("ascii"))  # noqa: S324
        fields = bytearray(uuid.UUID(bytes_le=digest.digest()[:16]).bytes)
        fields[6] = fields[6] & 0x0F | 0x50
        fields[8] = fields[8] & 0x3F | 0x80
        return uuid.UUID(bytes=bytes(fields))


def endpoint_of(mac: str) -> Endpoint:
    """Derive a phone's endpoint from its MAC address (hex, any separators).

    The epid is the last ten hex digits of the MAC: stable over reboots, users and computers, so
    that a new certificate for the same phone replaces the old one. Real phones' rule is not
    publicly known; this is our choice.
    """
    digits = "".join(c for c in mac.lower() if c in "0123456789abcdef")
    return Endpoint(digits[-10:])
