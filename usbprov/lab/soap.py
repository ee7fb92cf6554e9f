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
from usbprov.lab.refusals import Refusal

MAX_MESSAGE = 1 << 20
"""The longest request read, in bytes."""


class Fault(Enum):
    """Every SOAP fault: namespace and local name of its code, and what it says.

    What is wrong with a token is always said in the same words, as a server does not tell an
    attacker which check failed.
    """

    FAILED_AUTHENTICATION = (WSSE, "FailedAuthentication", Refusal.TOKEN)
    INVALID_TOKEN = (WSSE, "InvalidSecurityToken", Refusal.TOKEN)
    INVALID_SECURITY = (WSSE, "InvalidSecurity", Refusal.TOKEN)
    FAILED_CHECK = (WSSE, "FailedCheck", Refusal.TOKEN)
    EXPIRED = (WSU, "MessageExpired", Refusal.TOKEN)
    INVALID_REQUEST = (WST, "InvalidRequest", "The request was invalid or malformed.")
    INVALID_SCOPE = (WST, "InvalidScope", "The request scope is invalid or unsupported.")
    CLIENT = (SOAP, "Client", "The message could not be read.")
    ACTION = (SOAP, "Client", "The SOAPAction is not that of an operation of this port.")
    VERSION = (SOAP, "VersionMismatch", "Only SOAP 1.1 is understood.")
    NOT_UNDERSTOOD = (SOAP, "MustUnderstand", "A mandatory header was not understood.")
    SERVER = (SOAP, "Server", "The server was unable to process the request.")

    def __init__(self, namespace: str, name: str, says: Refusal | str) -> None:
        self.namespace = namespace
        self.local = name
        self.says = says


class SoapFault(Exception):
    """Ends the work on a request; becomes a fault on the wire.

    Attributes:
        fault: What the client is told.
        note: What the lab's log says; no secret, nothing of the request's text.
        says: The numbered refusal, or the words, that go with it.
    """

    def __init__(self, fault: Fault, note: str, refusal: Refusal | None = None) -> None:
        super().__init__(note)
        self.fault = fault
        self.note = note
        self.says = refusal or fault.says


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
    envelope = parse(data)
    if envelope.tag != tag(SOAP, "Envelope"):
        other_version = etree.QName(envelope).localname == "Envelope"
        raise SoapFault(Fault.VERSION if other_version else Fault.CLIENT, "no SOAP 1.1 envelope")
    header, body = envelope.find(tag(SOAP, "Header")), envelope.findall(tag(SOAP, "Body"))
    if len(body) != 1 or len(body[0]) != 1:
        raise SoapFault(Fault.CLIENT, "not one body with one element")
    return Message(_security(header), body[0][0])


def parse(data: bytes) -> etree._Element:
    """Parse a document that came from a client.

    Raises:
        SoapFault: It is too long, no XML, or has a DTD.
    """
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


def fault_envelope(fault: Fault, says: Refusal | str | None = None) -> bytes:
    """Build the answer that carries a fault; where it has an id, with ``OCSDiagnosticsFault``.

    [MS-OCAUTHWS] 2.2.4.1.

    Args:
        fault: Which.
        says: Other words than the fault's own.
    """
    says = says or fault.says
    content = etree.Element(tag(SOAP, "Fault"), nsmap={"s": SOAP})
    prefix = "s" if fault.namespace == SOAP else "a"
    code = etree.SubElement(content, "faultcode", nsmap={prefix: fault.namespace})
    code.text = f"{prefix}:{fault.local}"
    words = etree.SubElement(content, "faultstring")
    words.set(tag(XML_NS, "lang"), "en-US")
    words.text = says.reason if isinstance(says, Refusal) else says
    if isinstance(says, Refusal):
        etree.SubElement(content, "detail").append(_diagnostics(says))
    return envelope(content)


def _diagnostics(refusal: Refusal) -> etree._Element:
    root = element(DIAGNOSTICS, "OCSDiagnosticsFault")
    inner = etree.SubElement(root, tag(DIAGNOSTICS, "Ms-Diagnostics-Fault"))
    etree.SubElement(inner, tag(DIAGNOSTICS, "ErrorId")).text = str(refusal.error_id)
    etree.SubElement(inner, tag(DIAGNOSTICS, "Reason")).text = refusal.reason
    etree.SubElement(root, tag(DIAGNOSTICS, "NameValuePairs"), nsmap={"a": ARRAYS})
    return root
