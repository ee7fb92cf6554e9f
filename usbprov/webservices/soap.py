"""SOAP 1.1 through zeep, with WSDL and XSD of our own; nothing is ever fetched for them.

zeep builds the envelope out of typed fields. Parts that must keep their very bytes are put in
afterwards, in place of a marker. zeep's own transport, which logs whole envelopes, is not used.
"""

import functools
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from typing import TYPE_CHECKING, TypeAlias, cast

from lxml import etree

from usbprov.webservices.names import ANONYMOUS, ISSUE_ACTION, PUBLISH_ACTION, WSA, WSSE
from usbprov.webservices.session import Answer

if TYPE_CHECKING:
    from zeep.wsdl import Document

Post = Callable[[str, bytes, Mapping[str, str]], Answer]
"""Sends a body to a URL with headers, once."""

_BASE = "file:///usbprov/"
_BUNDLE = files("usbprov.webservices") / "wsdl"
_building = threading.Lock()


@dataclass(frozen=True)
class _Call:
    wsdl: str
    binding: str
    operation: str
    action: str


class Operation(Enum):
    """The operations of both services."""

    ISSUE = _Call(
        "webticket.wsdl", "{http://tempuri.org/}TicketBinding", "IssueToken", ISSUE_ACTION
    )
    PUBLISH = _Call(
        "certprov.wsdl",
        "{http://schemas.microsoft.com/OCS/AuthWebServices/}CertProvisioningBinding",
        "GetAndPublishCert",
        PUBLISH_ACTION,
    )


@dataclass(frozen=True)
class Insert:
    """Bytes that go into an element as they are.

    Attributes:
        marker: What stands there until then.
        content: Well-formed XML, UTF-8, with its own namespaces.
    """

    marker: str
    content: bytes


Security: TypeAlias = "etree._Element | Insert | None"  # noqa: SLF001 - lxml's name for its type
"""A WS-Security header, or what goes into it."""


class BundledOnly:
    """The transport for reading WSDL and XSD: it knows the bundled files, and no network."""

    def load(self, url: str) -> bytes:
        """Return a bundled file.

        Raises:
            LookupError: The URL is not that of one.
        """
        name = url.removeprefix(_BASE)
        if "/" in name or not (_BUNDLE / name).is_file():
            raise LookupError(f"{url} is not bundled")
        return (_BUNDLE / name).read_bytes()


class _Wire(BundledOnly):
    """The transport for one call."""

    def __init__(self, post: Post, insert: Insert | None) -> None:
        self._post = post
        self._insert = insert

    def post_xml(
        self, address: str, envelope: "etree._Element", headers: Mapping[str, str]
    ) -> Answer:
        """Write the envelope, put the kept bytes in, send it; called by zeep."""
        message = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
        if self._insert is not None:
            message = message.replace(self._insert.marker.encode("ascii"), self._insert.content)
        return self._post(address, message, headers)


def call(
    post: Post,
    operation: Operation,
    address: str,
    security: Security,
    fields: Mapping[str, object],
) -> Answer:
    """Call an operation, with WS-Addressing and the given WS-Security header.

    Without that one there is no header at all, as the stock client does where HTTP proves the
    user (``protocol.md`` 3.1).

    Args:
        post: Sends it.
        operation: Which.
        address: URL of the port.
        security: The ``wsse:Security`` header, or the bytes to be put into it, or None.
        fields: The content of the operation's element.
    """
    from zeep import Client, Settings  # noqa: PLC0415 - a third of a second

    insert = security if isinstance(security, Insert) else None
    header = _security(security) if isinstance(security, Insert) else security
    action = operation.value
    client = Client(  # type: ignore[no-untyped-call]
        _document(action.wsdl), transport=_Wire(post, insert), settings=Settings(raw_response=True)
    )
    service = client.create_service(action.binding, address)  # type: ignore[no-untyped-call]
    headers = [] if header is None else [*_addressing(address, action.action), header]
    return cast("Answer", service[action.operation](_soapheaders=headers, **fields))


def prepare() -> None:
    """Read the WSDL of all operations now, so that the first call does not wait for it."""
    for operation in Operation:
        _document(operation.value.wsdl)


def insert_of(content: bytes) -> Insert:
    """Return bytes to be inserted, with a marker that nobody can guess."""
    return Insert(f"here:{secrets.token_hex(16)}", content)


@functools.cache
def _parsed(wsdl: str) -> "Document":
    from zeep import Settings  # noqa: PLC0415 - a third of a second
    from zeep.wsdl import Document  # noqa: PLC0415

    settings = Settings(forbid_dtd=True)
    return Document(f"{_BASE}{wsdl}", BundledOnly(), settings=settings)  # type: ignore[arg-type]


def _document(wsdl: str) -> "Document":
    """Return a parsed WSDL: once a process, also when several threads ask at once."""
    with _building:
        return _parsed(wsdl)


def _security(insert: Insert) -> "etree._Element":
    header = etree.Element(f"{{{WSSE}}}Security", nsmap={"wsse": WSSE})
    header.text = insert.marker
    return header


def _addressing(address: str, action: str) -> "list[etree._Element]":
    """Return the WS-Addressing headers, as clients send them beside WS-Security."""

    def element(name: str, text: str | None = None) -> "etree._Element":
        made = etree.Element(f"{{{WSA}}}{name}", nsmap={"wsa": WSA})
        made.text = text
        return made

    reply = element("ReplyTo")
    reply.append(element("Address", ANONYMOUS))
    message_id = element("MessageID", f"uuid:{uuid.uuid4()}")
    return [element("To", address), reply, message_id, element("Action", action)]
