"""Verification of ``wsse:Security`` at the certificate service: a ticket and its proof.

The holder signs the ``wsu:Timestamp`` with the ticket's proof key: HMAC-SHA1 over the exclusive
canonical form (XML-Signature, exc-c14n 1.0). Whatever is looked up by its id is refused if two
elements have that id, and only elements that were verified are used further: that is what
signature wrapping needs to find otherwise.
"""

import base64
import binascii
import hashlib
import hmac
from collections import Counter
from datetime import datetime

from lxml import etree

from usbprov.lab.names import (
    DS,
    EXC_C14N,
    HMAC_SHA1,
    SAML,
    SAML_ASSERTION_ID,
    SHA1,
    WSSE,
    WSU,
    tag,
)
from usbprov.lab.soap import Fault, SoapFault, only_child, text_of
from usbprov.lab.tickets import SKEW, Ticket, Tickets
from usbprov.lab.times import read_time

_ID_ATTRIBUTES = (tag(WSU, "Id"), "Id", "ID", "id", "AssertionID")


def authenticate(security: etree._Element | None, tickets: Tickets, now: datetime) -> Ticket:
    """Say whose request it is.

    Args:
        security: The request's ``wsse:Security`` header.
        tickets: Opens the ticket in it.
        now: The server's time.

    Raises:
        SoapFault: There is no ticket, it is not valid here and now, or whoever sent it does not
            prove that he holds its key.
    """
    if security is None:
        raise SoapFault(Fault.FAILED_AUTHENTICATION, "no Security header")
    check_ids(security)
    assertion = only_child(security, SAML, "Assertion")
    if assertion is None:
        raise SoapFault(Fault.INVALID_SECURITY, "not one assertion")
    ticket = tickets.open(assertion, now)
    timestamp = verify_proof(security, ticket.proof_key, ticket.assertion_id)
    _check_window(timestamp, ticket, now)
    return ticket


def verify_proof(security: etree._Element, key: bytes, assertion_id: str) -> etree._Element:
    """Verify the holder's signature and return the timestamp that it covers.

    Args:
        security: Holds ``wsu:Timestamp`` and ``ds:Signature``.
        key: The proof key.
        assertion_id: Of the ticket, which the signature must name.

    Raises:
        SoapFault: Anything is missing, double, of another algorithm, or does not verify.
    """
    timestamp = only_child(security, WSU, "Timestamp")
    signature = only_child(security, DS, "Signature")
    if timestamp is None or signature is None:
        raise SoapFault(Fault.INVALID_SECURITY, "not one timestamp and one signature")
    info = one(signature, DS, "SignedInfo")
    _check_key_identifier(signature, assertion_id)
    _check_algorithms(info)
    reference = one(info, DS, "Reference")
    if reference.get("URI") != f"#{timestamp.get(tag(WSU, 'Id'), '')}":
        raise SoapFault(Fault.FAILED_CHECK, "the signature is not over the timestamp")
    digest = hashlib.sha1(canonical(timestamp)).digest()  # noqa: S324 - the wire's algorithm
    check_equal(digest, one(reference, DS, "DigestValue"), "digest of the timestamp")
    value = hmac.digest(key, canonical(info), hashlib.sha1)
    check_equal(value, one(signature, DS, "SignatureValue"), "signature value")
    return timestamp


def check_ids(security: etree._Element) -> None:
    """Refuse a message in which two elements have one id."""
    ids = Counter(
        element.attrib[name]
        for element in security.getroottree().iter(etree.Element)
        for name in _ID_ATTRIBUTES
        if name in element.attrib
    )
    if ids and max(ids.values()) > 1:
        raise SoapFault(Fault.INVALID_SECURITY, "two elements have one id")


def _check_key_identifier(signature: etree._Element, assertion_id: str) -> None:
    reference = one(one(signature, DS, "KeyInfo"), WSSE, "SecurityTokenReference")
    identifier = one(reference, WSSE, "KeyIdentifier")
    if identifier.get("ValueType") != SAML_ASSERTION_ID or text_of(identifier) != assertion_id:
        raise SoapFault(Fault.FAILED_CHECK, "the signature names another token")


def _check_algorithms(info: etree._Element) -> None:
    """Take exactly the one set of algorithms, with no parameters.

    A parameter such as ``HMACOutputLength`` would weaken the signature (CVE-2009-0217).
    """
    reference = one(info, DS, "Reference")
    wanted = (
        (one(info, DS, "CanonicalizationMethod"), EXC_C14N),
        (one(info, DS, "SignatureMethod"), HMAC_SHA1),
        (one(one(reference, DS, "Transforms"), DS, "Transform"), EXC_C14N),
        (one(reference, DS, "DigestMethod"), SHA1),
    )
    for element, algorithm in wanted:
        if element.get("Algorithm") != algorithm or len(element):
            raise SoapFault(Fault.FAILED_CHECK, "algorithm")


def check_equal(computed: bytes, element: etree._Element, what: str) -> None:
    """Refuse an element whose base64 text is not what was computed."""
    try:
        sent = base64.b64decode("".join(text_of(element).split()), validate=True)
    except (binascii.Error, ValueError):
        sent = b""
    if not hmac.compare_digest(computed, sent):
        raise SoapFault(Fault.FAILED_CHECK, what)


def _check_window(timestamp: etree._Element, ticket: Ticket, now: datetime) -> None:
    """The timestamp's window must lie in the ticket's life, and now in both."""
    try:
        created = read_time(text_of(only_child(timestamp, WSU, "Created")))
        expires = read_time(text_of(only_child(timestamp, WSU, "Expires")))
    except ValueError:
        raise SoapFault(Fault.INVALID_SECURITY, "timestamp without times") from None
    if not ticket.not_before <= created < expires <= ticket.not_after:
        raise SoapFault(Fault.FAILED_CHECK, "timestamp beyond the ticket's life")
    if not created - SKEW <= now < expires:
        raise SoapFault(Fault.EXPIRED, "timestamp not valid now")


def canonical(element: etree._Element) -> bytes:
    """Return the exclusive canonical form, without comments (exc-c14n 1.0)."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def one(parent: etree._Element, namespace: str, name: str) -> etree._Element:
    """Return the one child of that name; refuse the message if there is not exactly one."""
    child = only_child(parent, namespace, name)
    if child is None:
        raise SoapFault(Fault.INVALID_SECURITY, f"not one {name}")
    return child
