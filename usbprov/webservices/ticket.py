"""Web tickets: what one is, and where they are kept. Imports nothing heavy.

A ticket is a SAML 1.1 assertion with a proof key: whoever has both acts for the user.
"""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from usbprov.tape import clock

MARGIN = timedelta(seconds=60)
"""A ticket is not used in its last minute, as the stock client does (``protocol.md`` 4.3)."""


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
        return (now or clock.now()) < self.expires - MARGIN


class TicketCache:
    """Tickets by server, user and audience, in memory only. Thread-safe; several jobs may share it.

    A ticket is given out until a minute before it expires.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: dict[tuple[str, str, str], Ticket] = {}

    def find(self, server: str, user: str, audience: str) -> Ticket | None:
        """Return a ticket that can still be used, or None.

        Args:
            server: Who issued it: ``host`` or ``host:port``.
            user: SIP address, with or without its scheme.
            audience: URL of the port that takes it.
        """
        key = _cache_key(server, user, audience)
        with self._lock:
            ticket = self._tickets.get(key)
            if ticket is not None and not ticket.usable():
                del self._tickets[key]
                return None
            return ticket

    def keep(self, server: str, audience: str, ticket: Ticket) -> None:
        """Keep a ticket in place of an older one for the same user; those that expired go."""
        now = clock.now()
        with self._lock:
            self._tickets = {k: kept for k, kept in self._tickets.items() if kept.usable(now)}
            self._tickets[_cache_key(server, ticket.sip_uri, audience)] = ticket

    def drop(self, ticket: Ticket) -> None:
        """Forget a ticket, such as one that its server does not take any more."""
        with self._lock:
            self._tickets = {k: kept for k, kept in self._tickets.items() if kept is not ticket}

    def forget(self, user: str) -> None:
        """Forget a user's tickets: he needs none any more, and each is some KiB of secrets."""
        uri = sip_uri(user)
        with self._lock:
            self._tickets = {k: kept for k, kept in self._tickets.items() if k[1] != uri}


def sip_uri(user: str) -> str:
    """Return a SIP address with its scheme, in small letters, so that it can be compared."""
    return f"sip:{user.lower().removeprefix('sip:')}"


def _cache_key(server: str, user: str, audience: str) -> tuple[str, str, str]:
    return server, sip_uri(user), audience
