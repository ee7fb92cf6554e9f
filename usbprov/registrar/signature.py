"""What is signed in a SIP message, as a text ([MS-SIPAE] 3.2.5.2; ``protocol.md`` 7.4). No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass

from usbprov.registrar.message import Headers, Message, Response
from usbprov.registrar.parameters import parse_address, parse_addresses

FULL_VERSION = 3
"""From this version of the protocol on, To and the asserted identity are signed, too."""


@dataclass(frozen=True)
class Frame:
    """What stands around the headers in the text.

    Attributes:
        scheme: ``TLS-DSK``.
        realm: The server's realm.
        target: The server's ``targetname``.
        version: Of the protocol, as agreed on.
        salt: ``crand`` or ``srand``: eight hex digits, as on the wire.
        number: ``cnum`` or ``snum``, as on the wire.
    """

    scheme: str
    realm: str
    target: str
    version: int
    salt: str
    number: str


def signed_text(message: Message, frame: Frame) -> bytes:
    """Return the text over which a message is signed: each value in angle brackets.

    Values are those of the wire, in their case; what a message does not have is ``<>``.

    Raises:
        NotSip: A header that is signed cannot be read, or is there twice.
    """
    values = [*_frame(frame), *_message(message.headers, frame.version >= FULL_VERSION)]
    if isinstance(message, Response):
        values.append(str(message.status))
    return "".join(f"<{value}>" for value in values).encode("utf-8", "surrogateescape")


def _frame(frame: Frame) -> Iterator[str]:
    yield from (frame.scheme, frame.salt, frame.number, frame.realm, frame.target)


def _message(headers: Headers, full: bool) -> Iterator[str]:
    yield headers.only("Call-ID")
    yield from _sequence(headers)
    yield from _party(headers, "From")
    to, tag = _party(headers, "To")
    yield from (to, tag) if full else (tag,)
    if full:
        yield from _asserted(headers)
    yield headers.only("Expires")


def _sequence(headers: Headers) -> tuple[str, str]:
    number, _, method = headers.only("CSeq").partition(" ")
    return number, method.strip()


def _party(headers: Headers, name: str) -> tuple[str, str]:
    value = headers.only(name)
    if not value:
        return "", ""
    address = parse_address(value)
    return address.uri, address.parameters.get("tag", "")


def _asserted(headers: Headers) -> tuple[str, str]:
    """Return the SIP and the telephone URI of the asserted, else of the preferred identity."""
    values = headers.all("P-Asserted-Identity") or headers.all("P-Preferred-Identity")
    uris = [address.uri for value in values for address in parse_addresses(value)]
    return _of_scheme(uris, "sip:"), _of_scheme(uris, "tel:")


def _of_scheme(uris: list[str], scheme: str) -> str:
    return next((uri for uri in uris if uri.lower().startswith(scheme)), "")
