"""A request, read as far as every request must be (RFC 3261 8.1.1), and the answers to it."""

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from usbprov.lab.registrar.sip import Malformed, Request, Response
from usbprov.lab.registrar.values import Address, Credentials, parse_address, parse_credentials

_SERVER = "usbprov-lab"
_LONGEST_NUMBER = 10
_REPEATED = ("From", "Call-ID", "CSeq")
_SIP_URI = re.compile(r"sips?:[^@\s<>]+@[^@\s<>]+", re.IGNORECASE)


@dataclass(frozen=True)
class Exchange:
    """A request with what is read of it, and its answers.

    Attributes:
        request: As it came.
        sender: ``From``.
        receiver: ``To``.
        contact: The first ``Contact``, or None.
        credentials: Every ``Authorization`` or ``Proxy-Authorization``.
        to: ``To`` of the answers: with a tag.
    """

    request: Request
    sender: Address
    receiver: Address
    contact: Address | None
    credentials: Sequence[Credentials] = field(repr=False)
    to: str

    @property
    def user(self) -> str:
        """The SIP URI of ``From`` as users have it: in lower case."""
        return self.sender.uri.lower()

    @property
    def call_id(self) -> str:
        """``Call-ID``."""
        return self.request.value("call-id")

    @property
    def expires(self) -> int | None:
        """For how many seconds the client wants to be registered; None where it does not say."""
        told = self.request.value("expires")
        if self.contact is not None:
            told = self.contact.param("expires") or told
        return _number(told) if told else None

    def answer(self, status: int, reason: str, now: datetime, *more: tuple[str, str]) -> Response:
        """Make a response (RFC 3261 8.2.6), with more headers than every response has."""
        headers = [("Via", value) for value in self.request.values("via")]
        headers += [(name, self.request.value(name.lower())) for name in _REPEATED]
        headers += [("To", self.to), ("Date", format_datetime(now, usegmt=True))]
        return Response(status, reason, (*headers, ("Server", _SERVER), *more))


def read_exchange(request: Request) -> Exchange:
    """Read what every request must have.

    Raises:
        Malformed: Something of it is missing or wrong.
    """
    number, _, method = request.value("cseq").partition(" ")
    _number(number)
    if method.strip() != request.method or not request.value("call-id"):
        raise Malformed("CSeq or Call-ID")
    if not request.values("via"):
        raise Malformed("no Via")
    sender, receiver = parse_address(request.value("from")), parse_address(request.value("to"))
    if not _SIP_URI.fullmatch(sender.uri) or not sender.param("tag"):
        raise Malformed("From")
    to = request.value("to")
    if not receiver.param("tag"):
        to += f";tag={secrets.token_hex(16).upper()}"
    contacts = request.values("contact")
    names = ("authorization", "proxy-authorization")
    told = [value for name in names for value in request.values(name)]
    return Exchange(
        request,
        sender,
        receiver,
        parse_address(contacts[0]) if contacts else None,
        tuple(parse_credentials(value) for value in told),
        to,
    )


def read_token(credentials: Credentials) -> bytes | None:
    """Return the bytes of ``gssapi-data``; None where it is not there.

    Raises:
        Malformed: It is no base64.
    """
    text = credentials.params.get("gssapi-data")
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("gssapi-data is no base64") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_NUMBER:
        raise Malformed("no number")
    return int(text)
