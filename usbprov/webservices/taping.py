"""The ports of the Web Services: exchanges, sign-ins, chains and tickets, recorded and replayed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography import x509

from usbprov.errors import ObjectUnreadable
from usbprov.pki.certificates import load_certificate, to_der
from usbprov.tape.events import Json, bytes_of, packed, text
from usbprov.tape.ports import Port, passing
from usbprov.webservices.redaction import address_of, answer_note, request_note, revived_answer
from usbprov.webservices.session import Answer
from usbprov.webservices.soap import Post
from usbprov.webservices.ticket import Ticket
from usbprov.webservices.trust.sources import Certificates, Source

if TYPE_CHECKING:
    from usbprov.webservices.trust.sources import SourceName


def exchange_port(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> Port[Answer]:
    """Return the port of one HTTP exchange; a replay must ask the same address for the same."""
    action = headers.get("SOAPAction", "").strip('"').rpartition("/")[2]
    key = f"{method} {address_of(url)} {action}".rstrip()
    return Port("http", key, answer_note, revived_answer, lambda: request_note(body, headers))


def whole_sign_in(send: Post) -> Post:
    """Return what sends as ``send`` does; a replay has the last answer of all its legs.

    What an NTLM or Kerberos context says cannot be said again without the password.
    """

    def signed_in(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        port = Port("sign-in over HTTP", address_of(url), answer_note, revived_answer)
        return passing(port, lambda: send(url, body, headers))

    return signed_in


# --- chains


def certificates_port(name: str, key: str) -> Port[list[bytes]]:
    """Return a port over which certificates (DER) come."""
    return Port(name, key, list, _ders)


def _ders(result: Json) -> list[bytes]:
    if not isinstance(result, list):
        raise ValueError("certificates are no list")  # noqa: TRY004
    return [bytes_of(item) for item in result]


def anchors_port(chain: Sequence[bytes]) -> Port[list[bytes]]:
    """Return the port of this computer's trust anchors, of which those of a chain are recorded.

    A system has a hundred and more; those by whose names nothing in the chain was issued do not
    count for it.
    """
    return Port("trust anchors", "of this computer", lambda all_: _concerned(chain, all_), _ders)


def _concerned(chain: Sequence[bytes], anchors: Sequence[bytes]) -> list[bytes]:
    parsed = [(der, found) for der in anchors if (found := _parsed(der))]
    issuers = {found.issuer for der in chain if (found := _parsed(der))}
    kept: list[bytes] = []
    while fitting := [pair for pair in parsed if pair[1].subject in issuers]:
        kept += [der for der, _ in fitting]
        issuers = {found.issuer for _, found in fitting}
        parsed = [pair for pair in parsed if pair not in fitting]
    return kept


def _parsed(der: bytes) -> x509.Certificate | None:
    try:
        return load_certificate(der)
    except ObjectUnreadable:
        return None


class TapedSource:
    """A source of certificates whose answer is recorded; a ``Source``."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def name(self) -> "SourceName":
        """The source's."""
        return self._source.name

    @property
    def where(self) -> str:
        """The source's."""
        return self._source.where

    @property
    def protected(self) -> bool:
        """The source's."""
        return self._source.protected

    def fetch(self) -> Certificates:
        """Ask the source; raises what it raises."""
        port = certificates_port("chain download", self.where)
        ders = passing(port, lambda: [to_der(found) for found in self._source.fetch()])
        return tuple(load_certificate(der) for der in ders)


# --- tickets


def kept_ticket_port(user: str) -> Port[Ticket | None]:
    """Return the port of a ticket that was got before; a replay has a stand-in for it."""
    return Port("kept ticket", user, _ticket_note, _revived_ticket)


def _ticket_note(ticket: Ticket | None) -> object:
    if ticket is None:
        return None
    return packed({"user": ticket.sip_uri, "expires": ticket.expires.isoformat()})


def _revived_ticket(result: Json) -> Ticket | None:
    if not isinstance(result, dict):
        return None
    expires = datetime.fromisoformat(text(result.get("expires")))
    return Ticket(text(result.get("user")), expires, "stand-in", b"<a/>", bytes(32), b"")
