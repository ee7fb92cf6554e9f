"""Web tickets: the credentials that earn one, and what a ticket is. Imports nothing heavy.

A ticket is a SAML 1.1 assertion with a proof key: whoever has both acts for the user.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

MARGIN = timedelta(seconds=60)
"""A ticket is not used in its last minute, as the stock client does (``protocol.md`` 4.3)."""


@dataclass(frozen=True)
class PinCredential:
    """What a user types at a phone.

    Attributes:
        extension: Extension or phone number: ``1001``, ``+14255550123``.
        pin: The PIN; sent at most once, as it is locked after a few wrong tries.
    """

    extension: str
    pin: str = field(repr=False)


@dataclass(frozen=True)
class Ticket:
    """A Web ticket.

    Attributes:
        sip_uri: Whose it is, with scheme: ``sip:alice@contoso.test``.
        expires: When the server stops taking it, UTC.
        assertion_id: The name by which the signature points to the assertion.
        assertion: The ``saml:Assertion``, byte for byte as the server sent it.
        key: The 32 bytes of the proof key.
        lifetime: The bytes of ``Created`` and ``Expires``, which go into the signed timestamp.
    """

    sip_uri: str
    expires: datetime
    assertion_id: str
    assertion: bytes = field(repr=False)
    key: bytes = field(repr=False)
    lifetime: bytes = field(repr=False)

    def usable(self, now: datetime | None = None) -> bool:
        """Say whether there is time enough left to use it, now or at ``now`` (UTC)."""
        return (now or datetime.now(UTC)) < self.expires - MARGIN
