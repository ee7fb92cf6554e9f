"""What of an HTTP exchange may be recorded, and how a replay makes an answer of it again.

Nothing is searched for secrets: of a SOAP message only what is named here as public is kept. A
ticket, a share of a key, a signature and whatever proves a user leave an element ``removed`` in
their place, of which a replay makes a stand-in that can be read: a ticket for the same user, a
share of as many zeros. Of a body that is not XML only its size is kept; not its digest, since
whoever knows the rest of a message finds a PIN of four digits by its digest.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

from lxml import etree

from usbprov.errors import AnswerInvalid, ObjectUnreadable
from usbprov.pki.certificates import load_certificate
from usbprov.pki.requests import load_request
from usbprov.tape.events import REMOVED, Json, removed_size, text
from usbprov.tape.words import clean, said
from usbprov.webservices.session import Answer
from usbprov.webservices.xmlsafe import descendants, local_name, parse, text_of

TAPE = "urn:usbprov:tape"
"""Namespace of what stands in the place of what was removed."""

_CREDENTIALS, _TICKET, _SHARE, _COMPACT = "credentials", "ticket", "key share", "compact ticket"

_REMOVED: Mapping[str, str] = {
    "UsernameToken": _CREDENTIALS,
    "Assertion": _TICKET,
    "EncryptedAssertion": "cipher",
    "EncryptedData": "cipher",
    "UserToken": _COMPACT,
    "BinarySecret": _SHARE,
    "BinaryExchange": _CREDENTIALS,
    "SignatureValue": "signature",
    "Signature": "signature",
    "CipherValue": "cipher",
}
"""What is never kept, wherever it stands, by local name."""

_PUBLIC_TEXTS = frozenset(
    {
        *("To", "Address", "MessageID", "RelatesTo", "Action"),
        *("TokenType", "RequestType", "KeyType", "KeySize", "Value", "Created", "Expires"),
        *("RequestID", "DispositionMessage"),
    }
)
_PUBLIC_ATTRIBUTES = frozenset(
    {
        *("Context", "DeviceId", "Entity", "Id", "ValueType", "EncodingType", "Algorithm"),
        *("Dialect", "Uri", "Optional", "mustUnderstand", "ResponseClass", "lang", "actor"),
    }
)
_WORDS = frozenset({"Fault", "ErrorInfo"})
"""Within these a server says what is wrong, in texts of any name."""

_CERTIFIED = "BinarySecurityToken"
"""A request or certificate, which is public; or a token of another kind, which is not."""

_HEADERS = (
    *("Content-Type", "Connection", "Date", "Retry-After", "Server"),
    *("X-Ms-diagnostics", "X-MS-Server-Fqdn", "X-MS-Correlation-Id"),
)
_CHALLENGE = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]{1,20})(?:\s+([A-Za-z0-9+/=]+))?\s*(?=,|$)")
_QUOTED = re.compile(r'"[^"]*"')
_ROOT = re.compile(rb"<\s*([A-Za-z!?][\w:.-]{0,40})")


def address_of(url: str) -> str:
    """Return a URL without what may be private in it: user, query and fragment."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def request_note(body: bytes | None, headers: Mapping[str, str]) -> dict[str, object]:
    """Describe what is sent."""
    told: dict[str, object] = {}
    authorization = headers.get("Authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        told["authorization"] = {"scheme": clean(scheme), "token": {REMOVED: len(token)}}
    if body:
        told["body"] = _body(body, sent=True)
    return told


def answer_note(answer: Answer) -> dict[str, object]:
    """Describe an answer."""
    headers = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
    told = {name: said(str(value)) for name, value in headers.items()}
    if "Location" in answer.headers:
        told["Location"] = clean(_safe_address(answer.headers["Location"]))
    document = {
        "url": address_of(answer.url),
        "status": answer.status,
        "headers": told,
        "challenges": _challenges(answer.headers.get("WWW-Authenticate", "")),
        "cookies": bool(answer.headers.get("Set-Cookie")),
        "connection": answer.connection,
    }
    return document | ({"body": _body(answer.body, sent=False)} if answer.body else {})


def _safe_address(location: str) -> str:
    try:
        return address_of(location)
    except ValueError:
        return ""


def _challenges(header: str) -> list[dict[str, object]]:
    """Return the schemes that are asked for, and how long their tokens are."""
    found = _CHALLENGE.findall(_QUOTED.sub("", header)[:4096])
    return [{"scheme": scheme, "token": {REMOVED: len(token)}} for scheme, token in found]


# --- bodies


def _body(body: bytes, *, sent: bool) -> dict[str, object]:
    try:
        root = parse(body, "").root
    except AnswerInvalid:
        found = _ROOT.search(body[:1000])
        begins = clean(found[1].decode("ascii", "replace")) if found else ""
        return {"size": len(body), "begins": begins}
    if not sent and local_name(root) in {"definitions", "Metadata"}:
        return {"xml": _written(_copied(root))}  # anybody may read metadata
    return {"xml": _written(_shown(root, sent=sent))}


def _written(element: "etree._Element") -> str:
    return etree.tostring(element, encoding="unicode")


def _shown(element: "etree._Element", *, sent: bool, words: bool = False) -> "etree._Element":
    """Copy an element with what is public in it."""
    name = local_name(element)
    if name in _REMOVED or clean(str(element.tag)) != element.tag:
        return _removed(element)
    if sent and name in _HEADS:
        return _head(element, _HEADS[name])
    words = words or (name in _WORDS and not sent)
    made = _bare(element)
    made.text = _public_text(element, name, words=words)
    for child in element.iterchildren("*"):
        made.append(_shown(child, sent=sent, words=words))
    return made


_HEADS: Mapping[str, frozenset[str]] = {
    "Header": frozenset({"To", "ReplyTo", "MessageID", "Action", "Security"}),
    "Security": frozenset({"Timestamp"}),
}
"""What is public in the headers that are sent: a site's own form may have a PIN anywhere else."""


def _head(element: "etree._Element", public: frozenset[str]) -> "etree._Element":
    made = _bare(element)
    for child in element.iterchildren("*"):
        kept = local_name(child) in public
        made.append(_shown(child, sent=True) if kept else _removed(child))
    return made


def _bare(element: "etree._Element") -> "etree._Element":
    """Return an element of that name, with its public attributes."""
    made = _element(str(element.tag), element.nsmap)
    for name, value in element.items():
        public = etree.QName(str(name)).localname in _PUBLIC_ATTRIBUTES
        made.set(str(name), clean(str(value)) if public else "")
    return made


def _public_text(element: "etree._Element", name: str, *, words: bool) -> str | None:
    content = text_of(element)
    if name == _CERTIFIED:
        return content if _is_certified(content) else None
    if words:
        return said(content) or None
    return clean(content) or None if name in _PUBLIC_TEXTS else None


def _copied(element: "etree._Element") -> "etree._Element":
    """Copy an element with all that is in it, but comments."""
    made = _element(str(element.tag), element.nsmap)
    for name, value in element.items():
        made.set(str(name), clean(str(value)))
    made.text = clean(text_of(element)) or None
    for child in element.iterchildren("*"):
        made.append(_copied(child))
    return made


def _is_certified(content: str) -> bool:
    """Say whether this is a certificate or a request for one, and nothing else."""
    try:
        der = b64decode("".join(content.split()), validate=True)
    except (Base64Error, ValueError):
        return False
    for load in (load_certificate, load_request):
        try:
            load(der)
        except ObjectUnreadable:
            continue
        return True
    return False


def _removed(element: "etree._Element") -> "etree._Element":
    """Return what stands in the place of an element: what it was, and what a stand-in needs."""
    what = _REMOVED.get(local_name(element), _CREDENTIALS)
    made = _element(f"{{{TAPE}}}removed", {None: TAPE})
    made.set("what", what)
    if what == _SHARE:
        made.set("bytes", str(_decoded_size(text_of(element))))
    if what == _TICKET:
        names = {text_of(found) for found in descendants(element, "NameIdentifier")}
        made.set("users", " ".join(sorted(clean(name) for name in names if len(name) < 300)))
        made.set("named", "yes" if element.get("AssertionID") else "no")
    return made


def _element(tag: str, namespaces: Mapping[str | None, str]) -> "etree._Element":
    known = {prefix: uri for prefix, uri in namespaces.items() if clean(uri) == uri}
    return etree.Element(tag, nsmap=cast("Mapping[str, str]", known))


def _decoded_size(content: str) -> int:
    try:
        return len(b64decode("".join(content.split()), validate=True))
    except (Base64Error, ValueError):
        return 0


# --- a replay


def revived_answer(note: Json) -> Answer:
    """Make an answer of its description; raises ``ValueError``."""
    if not isinstance(note, dict):
        raise ValueError("an answer is no map")  # noqa: TRY004
    from requests.structures import CaseInsensitiveDict  # noqa: PLC0415 - only when replayed

    headers, status = note.get("headers"), note.get("status")
    if not isinstance(status, int) or not 0 <= status < 1000:
        raise ValueError("an answer has no status")
    told = {text(k): text(v) for k, v in headers.items()} if isinstance(headers, dict) else {}
    connection = note.get("connection")
    return Answer(
        text(note.get("url")),
        status,
        CaseInsensitiveDict(told),
        _revived_body(note.get("body")),
        connection if isinstance(connection, int) else 0,
    )


def _revived_body(note: Json) -> bytes:
    if not isinstance(note, dict):
        return b""
    xml = note.get("xml")
    if not isinstance(xml, str):
        return b"?" * removed_size({REMOVED: note.get("size", 0)})
    try:
        root = parse(xml.encode(), "the tape").root
    except AnswerInvalid:
        raise ValueError("a body is not well-formed") from None
    for found in list(root.iter(f"{{{TAPE}}}removed")):
        parent = found.getparent()
        if parent is not None:
            parent.replace(found, _stand_in(found))
    return etree.tostring(root)


def _stand_in(removed: "etree._Element") -> "etree._Element":
    make = _STAND_INS.get(removed.get("what", ""))
    return make(removed) if make is not None else removed


_SAML = "urn:oasis:names:tc:SAML:1.0:assertion"


def _ticket(removed: "etree._Element") -> "etree._Element":
    made = etree.Element(f"{{{_SAML}}}Assertion", nsmap={"saml": _SAML})
    if removed.get("named") == "yes":
        made.set("AssertionID", "stand-in")
    for user in removed.get("users", "").split():
        etree.SubElement(made, f"{{{_SAML}}}NameIdentifier").text = user
    return made


def _share(removed: "etree._Element") -> "etree._Element":
    size = removed.get("bytes", "0")
    made = etree.Element("BinarySecret")
    made.text = b64encode(bytes(int(size) if size.isdecimal() and len(size) < 5 else 0)).decode()
    return made


def _compact(_removed: "etree._Element") -> "etree._Element":
    return etree.Element("UserToken")


_STAND_INS: Mapping[str, Callable[["etree._Element"], "etree._Element"]] = {
    _TICKET: _ticket,
    _SHARE: _share,
    _COMPACT: _compact,
}
