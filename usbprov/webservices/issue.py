"""WS-Trust ``RST/Issue``: the request for a Web ticket, and the reading of its answer.

[MS-OCAUTHWS] 3.2.4.1, WS-Trust 1.3 4; ``protocol.md`` 4.1 to 4.4.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from lxml import etree

from usbprov.errors import AnswerInvalid, NotOffered
from usbprov.phone.endpoint import Endpoint
from usbprov.pki.core_dumps import no_core_files
from usbprov.webservices.names import (
    CLAIMS_DIALECT,
    REQUEST_ISSUE,
    SAML_TOKEN,
    SYMMETRIC_KEY,
    URI_CLAIM,
    WSU,
)
from usbprov.webservices.proof import p_sha1, timestamp
from usbprov.webservices.rawcut import RawCut
from usbprov.webservices.ticket import Ticket, sip_uri
from usbprov.webservices.xmlsafe import (
    XmlDocument,
    descendants,
    find_path,
    parse,
    text_of,
)

_LEAST_ENTROPY = 16
_ASSERTION_ID = re.compile(r"[A-Za-z_][\w.-]{0,127}", re.ASCII)
_SIP_URI = re.compile(
    r"sip:[\w.!%*+'~&=$,;?/-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII | re.IGNORECASE
)


def issue_fields(
    audience: str, endpoint: Endpoint, entropy: bytes, user: str | None = None
) -> dict[str, object]:
    """Return the content of ``wst:RequestSecurityToken``.

    Args:
        audience: URL of the port that will take the ticket.
        endpoint: The phone for which it is.
        entropy: The client's share of the proof key.
        user: SIP address that the client claims to be, or None: the server says who it is.
    """
    claims = {} if user is None else {"Claims": _claims(user)}
    return {
        "Context": str(endpoint.instance),
        "TokenType": SAML_TOKEN,
        "RequestType": REQUEST_ISSUE,
        "AppliesTo": {"EndpointReference": {"Address": audience}},
        **claims,
        "Entropy": {"BinarySecret": b64encode(entropy).decode("ascii")},
        "KeyType": SYMMETRIC_KEY,
    }


def _claims(user: str) -> dict[str, object]:
    claim = {"Uri": URI_CLAIM, "Optional": "false", "Value": sip_uri(user)}
    return {"Dialect": CLAIMS_DIALECT, "ClaimType": claim}


def read_ticket(document: XmlDocument, endpoint: Endpoint, entropy: bytes) -> Ticket:
    """Read the answer to a request for a ticket.

    Raises:
        NotOffered: It is a ticket of another kind, which cannot be used here.
        AnswerInvalid: It lacks something, or has something twice that must be unique, or is the
            answer for another request.
    """
    no_core_files()
    server = document.server
    response = _only(document.root, "RequestSecurityTokenResponse", server)
    if next(descendants(response, "UserToken"), None) is not None:
        raise NotOffered(server, "tickets with proof in this way: it gives a compact one (CWT)")
    context = response.get("Context", str(endpoint.instance))
    if context.lower() != str(endpoint.instance):
        raise AnswerInvalid(server, "it is a ticket for another request")
    assertion = _only(_only(response, "RequestedSecurityToken", server), "Assertion", server)
    lifetime, cut = _only(response, "Lifetime", server), RawCut(document)
    return Ticket(
        sip_uri=_sip_uri(assertion, server),
        expires=_time(text_of(find_path(lifetime, "Expires")), server),
        assertion_id=_assertion_id(assertion, server),
        assertion=cut.outer(assertion),
        key=p_sha1(entropy, _server_entropy(response, server)),
        lifetime=_lifetime(cut.inner(lifetime), lifetime),
    )


def _only(within: "etree._Element", name: str, server: str) -> "etree._Element":
    found = [e for e in descendants(within, name) if e is not within]
    if len(found) != 1:
        raise AnswerInvalid(server, f"it has {len(found)} {name} instead of one")
    return found[0]


def _sip_uri(assertion: "etree._Element", server: str) -> str:
    names = {text_of(found) for found in descendants(assertion, "NameIdentifier")}
    if len(names) != 1:
        raise AnswerInvalid(server, f"its ticket names {len(names)} users")
    name = names.pop()
    if not _SIP_URI.fullmatch(name):
        raise AnswerInvalid(server, "its ticket does not name a SIP address")
    return f"sip:{name.partition(':')[2]}"


def _assertion_id(assertion: "etree._Element", server: str) -> str:
    identifier = assertion.get("AssertionID", "")
    if not _ASSERTION_ID.fullmatch(identifier):
        raise AnswerInvalid(server, "its ticket has no usable AssertionID")
    return identifier


def _server_entropy(response: "etree._Element", server: str) -> bytes:
    secret = find_path(response, "Entropy", "BinarySecret")
    if secret is None:
        secret = next(descendants(response, "BinarySecret"), None)
    try:
        entropy = b64decode("".join(text_of(secret).split()), validate=True)
    except (Base64Error, ValueError):
        entropy = b""
    if len(entropy) < _LEAST_ENTROPY:
        raise AnswerInvalid(server, "it has no usable key material")
    return entropy


def _time(text: str, server: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise AnswerInvalid(server, "it does not say when its ticket expires") from None


def _lifetime(raw: bytes, lifetime: "etree._Element") -> bytes:
    """Return Created and Expires as their bytes, or written anew where those cannot stand alone.

    The server compares the times, or the canonical form, with what it signed; a prefix that is
    declared further up would be lost in the timestamp.
    """
    try:
        stamp = parse(timestamp(raw), "").root
    except AnswerInvalid:
        stamp = None
    if stamp is not None and all(etree.QName(child).namespace == WSU for child in stamp):
        return raw
    texts = {n: escape(text_of(find_path(lifetime, n))) for n in ("Created", "Expires")}
    return "".join(f'<{n} xmlns="{WSU}">{text}</{n}>' for n, text in texts.items()).encode()
