"""SOAP 1.1 envelopes and faults: strict reading of what comes in, building of what goes out."""

from dataclasses import dataclass
from enum import Enum
from typing import cast

from lxml import etree

from usbprov.lab.names import (
    ARRAYS,
    DIAGNOSTICS,
    SOAP,
    WSA,
    WSSE,
    WST,
    WSU,
    XML_NS,
    tag,
)

MAX_MESSAGE = 1 << 20
"""The longest request read, in bytes."""

_NO_TOKEN = "No valid security token."  # noqa: S105 - the words of the real service
_NO_TOKEN_ID = 28020


class Fault(Enum):
    """Every SOAP fault: namespace and local name of its code, diagnostics id, words.

    The id and words of the first are those seen from real servers; they stand for all that is
    wrong with a token, as a server does not tell an attacker which check failed.
    """

    FAILED_AUTHENTICATION = (WSSE, "FailedAuthentication", _NO_TOKEN_ID, _NO_TOKEN)
    INVALID_TOKEN = (WSSE, "InvalidSecurityToken", _NO_TOKEN_ID, _NO_TOKEN)
    INVALID_SECURITY = (WSSE, "InvalidSecurity", _NO_TOKEN_ID, _NO_TOKEN)
    FAILED_CHECK = (WSSE, "FailedCheck", _NO_TOKEN_ID, _NO_TOKEN)
    EXPIRED = (WSU, "MessageExpired", _NO_TOKEN_ID, _NO_TOKEN)
    INVALID_REQUEST = (WST, "InvalidRequest", None, "The request was invalid or malformed.")
    INVALID_SCOPE = (WST, "InvalidScope", None, "The request scope is invalid or unsupported.")
    CLIENT = (SOAP, "Client", None, "The message could not be read.")
    ACTION = (SOAP, "Client", None, "The SOAPAction is not that of an operation of this port.")
    VERSION = (SOAP, "VersionMismatch", None, "Only SOAP 1.1 is understood.")
    NOT_UNDERSTOOD = (SOAP, "MustUnderstand", None, "A mandatory header was not understood.")
    SERVER = (SOAP, "Server", None, "The server was unable to process the request.")

    def __init__(self, namespace: str, name: str, error_id: int | None, reason: str) -> None:
        self.namespace = namespace
        self.local = name
        self.error_id = error_id
        self.reason = reason


class SoapFault(Exception):
    """Ends the work on a request; becomes a fault on the wire.

    Attributes:
        fault: What the client is told.
        note: What the lab's log says; no secret, nothing of the request's text.
    """

    def __init__(self, fault: Fault, note: str) -> None:
        super().__init__(note)
        self.fault = fault
        self.note = note


@dataclass(frozen=True)
class Message:
    """A request as read.

    Attributes:
        security: Its ``wsse:Security`` header, or None.
        content: The one element in its body.
    """

    security: etree._Element | None
    content: etree._Element


def read_message(data: bytes) -> Message:
    """Parse a request.

    Raises:
        SoapFault: It is too long, no XML, has a DTD, is no SOAP 1.1 envelope with one body
            element, or has a mandatory header that is not known here.
    """
    envelope = _parse(data)
    if envelope.tag != tag(SOAP, "Envelope"):
        other_version = etree.QName(envelope).localname == "Envelope"
        raise SoapFault(Fault.VERSION if other_version else Fault.CLIENT, "no SOAP 1.1 envelope")
    header, body = envelope.find(tag(SOAP, "Header")), envelope.findall(tag(SOAP, "Body"))
    if len(body) != 1 or len(body[0]) != 1:
        raise SoapFault(Fault.CLIENT, "not one body with one element")
    return Message(_security(header), body[0][0])


def _parse(data: bytes) -> etree._Element:
    if len(data) > MAX_MESSAGE:
        raise SoapFault(Fault.CLIENT, "message too long")
    # A parser for each message: lxml's are not to be shared between threads. Without comments,
    # so that no value is read other than as it was signed.
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise SoapFault(Fault.CLIENT, "not well-formed XML") from None
    information = root.getroottree().docinfo
    if information is None or information.internalDTD is not None:
        raise SoapFault(Fault.CLIENT, "document type declaration")
    return root


def _security(header: etree._Element | None) -> etree._Element | None:
    if header is None:
        return None
    for block in header:
        must = block.get(tag(SOAP, "mustUnderstand")) in {"1", "true"}
        known = block.tag == tag(WSSE, "Security") or etree.QName(block).namespace == WSA
        if must and not known:
            raise SoapFault(Fault.NOT_UNDERSTOOD, "unknown mandatory header")
    found = header.findall(tag(WSSE, "Security"))
    if len(found) > 1:
        raise SoapFault(Fault.INVALID_SECURITY, "more than one Security header")
    return found[0] if found else None


def only_child(parent: etree._Element, namespace: str, name: str) -> etree._Element | None:
    """Return the child of that name if there is exactly one, else None."""
    found = parent.findall(tag(namespace, name))
    return found[0] if len(found) == 1 else None


def text_of(element: etree._Element | None) -> str:
    """Return the element's text without surrounding white space; "" if it is None or empty."""
    return (element.text or "").strip() if element is not None else ""


def element(namespace: str, name: str) -> etree._Element:
    """Make an element that declares its namespace itself, as the default one."""
    return etree.Element(tag(namespace, name), nsmap=_default(namespace))


def sub(
    parent: etree._Element, namespace: str, name: str, text: str | None = None
) -> etree._Element:
    """Append a child that declares its namespace itself, unless its parent does, unprefixed."""
    child = etree.SubElement(parent, tag(namespace, name), nsmap=_default(namespace))
    child.text = text
    return child


def _default(namespace: str) -> dict[str, str]:
    return cast("dict[str, str]", {None: namespace})  # the stubs leave out that None is a prefix


def envelope(content: etree._Element) -> bytes:
    """Wrap an element in an envelope and encode it in UTF-8."""
    root = etree.Element(tag(SOAP, "Envelope"), nsmap={"s": SOAP})
    etree.SubElement(root, tag(SOAP, "Body")).append(content)
    return etree.tostring(root, encoding="utf-8")


def fault_envelope(fault: Fault) -> bytes:
    """Build the answer that carries a fault; where it has an id, with ``OCSDiagnosticsFault``.

    [MS-OCAUTHWS] 2.2.4.1.
    """
    content = etree.Element(tag(SOAP, "Fault"), nsmap={"s": SOAP})
    prefix = "s" if fault.namespace == SOAP else "a"
    code = etree.SubElement(content, "faultcode", nsmap={prefix: fault.namespace})
    code.text = f"{prefix}:{fault.local}"
    words = etree.SubElement(content, "faultstring")
    words.set(tag(XML_NS, "lang"), "en-US")
    words.text = fault.reason
    if fault.error_id is not None:
        etree.SubElement(content, "detail").append(_diagnostics(fault.error_id, fault.reason))
    return envelope(content)


def _diagnostics(error_id: int, reason: str) -> etree._Element:
    root = element(DIAGNOSTICS, "OCSDiagnosticsFault")
    inner = etree.SubElement(root, tag(DIAGNOSTICS, "Ms-Diagnostics-Fault"))
    etree.SubElement(inner, tag(DIAGNOSTICS, "ErrorId")).text = str(error_id)
    etree.SubElement(inner, tag(DIAGNOSTICS, "Reason")).text = reason
    etree.SubElement(root, tag(DIAGNOSTICS, "NameValuePairs"), nsmap={"a": ARRAYS})
    return root
