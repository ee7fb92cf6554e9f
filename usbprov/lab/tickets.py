"""The Web ticket: a SAML 1.1 assertion with an enveloped signature, made and verified.

The proof key is inside, wrapped for the service (XML Encryption 5.6, RFC 3394), so that no
server needs to remember a ticket, and a ticket outlives a restart.
"""

import base64
import binascii
import hashlib
import hmac
import logging
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from usbprov.lab.authority import Authority
from usbprov.lab.metadata import Endpoints
from usbprov.lab.names import (
    AM_CERTIFICATE,
    AM_PASSWORD,
    AM_WINDOWS,
    BEARER,
    DS,
    HOLDER_OF_KEY,
    KW_AES256,
    SAML,
    URI_CLAIM,
    XENC,
    tag,
)
from usbprov.lab.soap import Fault, SoapFault, only_child, text_of
from usbprov.lab.times import read_time, write_time

PROOF_KEY_SIZE = 32
SKEW = timedelta(minutes=5)
"""How far ahead the clock of whoever wrote a time may be."""

_ID_PREFIX = "SamlSecurityToken-"
_ID_ATTRIBUTE = "AssertionID"


def _not_verbose(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


# The library logs what it canonicalises, whole tickets that is, whatever level users ask for.
logging.getLogger("signxml.processor").addFilter(_not_verbose)


@dataclass(frozen=True)
class Ticket:
    """What a verified assertion says.

    Attributes:
        sip_uri: The user it was issued to.
        assertion_id: Its id, by which signatures name it.
        not_before: Begin of its life, UTC.
        not_after: End of its life, UTC.
        proof_key: With which its holder signs; empty for a bearer ticket.
    """

    sip_uri: str
    assertion_id: str
    not_before: datetime
    not_after: datetime
    proof_key: bytes = field(repr=False)


class ProvedBy(Enum):
    """How the user was proved, by what the assertion says of it (SAML 1.1 7.1)."""

    PASSWORD = AM_PASSWORD
    WINDOWS = AM_WINDOWS
    CERTIFICATE = AM_CERTIFICATE


@dataclass(frozen=True)
class Grant:
    """A ticket to issue.

    Attributes:
        sip_uri: To whom.
        proved_by: How he was proved.
        proof_key: The 32 bytes with which he will prove that the ticket is his.
        bearer_audience: The URL that a ticket without proof key is for; None for one with.
    """

    sip_uri: str
    proved_by: ProvedBy = ProvedBy.PASSWORD
    proof_key: bytes = field(default=b"", repr=False)
    bearer_audience: str | None = None


class Tickets:
    """Issues and opens the Web tickets of one front end."""

    def __init__(self, authority: Authority, endpoints: Endpoints) -> None:
        self._signer = authority.tickets
        self._wrapping_key = authority.wrapping_key
        self._issuer = endpoints.webticket
        self._audience = endpoints.proof_port

    def issue(self, grant: Grant, start: datetime, end: datetime) -> etree._Element:
        """Make and sign an assertion, valid from ``start`` to ``end`` (whole seconds)."""
        assertion = self._assertion(grant, start, end)
        signer = XMLSigner(
            signature_algorithm=SignatureMethod.RSA_SHA256,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        return signer.sign(
            assertion,
            key=self._signer.key,
            cert=[self._signer.certificate],
            reference_uri=assertion.get(_ID_ATTRIBUTE),
            id_attribute=_ID_ATTRIBUTE,
        )

    def compact(self, sip_uri: str, end: datetime) -> str:
        """Make a compact ticket, ``cwt=…``, for a client that asks for that type.

        Lab choice: the form of the real one is not publicly known. This one is opaque to the
        client as well: claims and a MAC over them.
        """
        claims = f"{sip_uri} {write_time(end)}".encode()
        mac = hmac.digest(self._wrapping_key, claims, hashlib.sha256)
        return f"cwt={base64.b64encode(mac + claims).decode()}"

    def open(self, assertion: etree._Element, now: datetime, audience: str | None = None) -> Ticket:
        """Verify an assertion and return what its signed part says.

        Args:
            assertion: The assertion.
            now: The server's time.
            audience: The URL that a bearer ticket must be for; None for a ticket with a proof
                key, for the certificate service.

        Raises:
            SoapFault: The signature is not this server's, or the assertion is for another
                audience, from another issuer, or not valid now.
        """
        signed = self._signed_part(assertion)
        if signed.tag != tag(SAML, "Assertion"):
            raise SoapFault(Fault.INVALID_TOKEN, "what is signed is not the assertion")
        try:
            ticket = self._read(signed, audience)
        except (ValueError, InvalidUnwrap):
            raise SoapFault(Fault.INVALID_TOKEN, "assertion incomplete") from None
        if not ticket.not_before - SKEW <= now < ticket.not_after:
            raise SoapFault(Fault.INVALID_TOKEN, "assertion not valid now")
        return ticket

    def _signed_part(self, assertion: etree._Element) -> etree._Element:
        """Return the assertion as rebuilt from the very bytes that the signature covers."""
        configuration = SignatureConfiguration(
            location="./",
            expect_references=1,
            signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
            digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        )
        try:
            result = XMLVerifier().verify(
                assertion,
                x509_cert=self._signer.certificate,
                id_attribute=_ID_ATTRIBUTE,
                expect_config=configuration,
            )
        except (SignXMLException, etree.LxmlError, ValueError, TypeError, KeyError):
            raise SoapFault(Fault.INVALID_TOKEN, "assertion signature") from None
        signed = None if isinstance(result, list) else result.signed_xml
        if signed is None:
            raise SoapFault(Fault.INVALID_TOKEN, "nothing is signed")
        return signed

    def _read(self, signed: etree._Element, bearer_audience: str | None) -> Ticket:
        conditions = _required(signed, SAML, "Conditions")
        restriction = _required(conditions, SAML, "AudienceRestrictionCondition")
        audience = text_of(only_child(restriction, SAML, "Audience"))
        if signed.get("Issuer") != self._issuer or audience != (bearer_audience or self._audience):
            raise ValueError("for another service")
        statement = _required(signed, SAML, "AuthenticationStatement")
        subject = _required(statement, SAML, "Subject")
        confirmation = _required(subject, SAML, "SubjectConfirmation")
        method = text_of(only_child(confirmation, SAML, "ConfirmationMethod"))
        if method != (BEARER if bearer_audience else HOLDER_OF_KEY):
            raise ValueError("another confirmation method")
        return Ticket(
            sip_uri=text_of(_required(subject, SAML, "NameIdentifier")),
            assertion_id=signed.get(_ID_ATTRIBUTE, ""),
            not_before=read_time(conditions.get("NotBefore", "")),
            not_after=read_time(conditions.get("NotOnOrAfter", "")),
            proof_key=b"" if bearer_audience else self._proof_key(confirmation),
        )

    def _proof_key(self, confirmation: etree._Element) -> bytes:
        return aes_key_unwrap(self._wrapping_key, _wrapped_key(confirmation))

    def _assertion(self, grant: Grant, start: datetime, end: datetime) -> etree._Element:
        root = etree.Element(tag(SAML, "Assertion"), nsmap={"saml": SAML})
        root.set("MajorVersion", "1")
        root.set("MinorVersion", "1")
        root.set(_ID_ATTRIBUTE, f"{_ID_PREFIX}{uuid.uuid4()}")
        root.set("Issuer", self._issuer)
        root.set("IssueInstant", write_time(start))
        conditions = _sub(root, "Conditions")
        conditions.set("NotBefore", write_time(start))
        conditions.set("NotOnOrAfter", write_time(end))
        restriction = _sub(conditions, "AudienceRestrictionCondition")
        _sub(restriction, "Audience", grant.bearer_audience or self._audience)
        statement = _sub(root, "AuthenticationStatement")
        statement.set("AuthenticationMethod", grant.proved_by.value)
        statement.set("AuthenticationInstant", write_time(start))
        subject = _sub(statement, "Subject")
        _sub(subject, "NameIdentifier", grant.sip_uri).set("Format", URI_CLAIM)
        confirmation = _sub(subject, "SubjectConfirmation")
        method = BEARER if grant.bearer_audience else HOLDER_OF_KEY
        _sub(confirmation, "ConfirmationMethod", method)
        if not grant.bearer_audience:
            confirmation.append(_key_info(aes_key_wrap(self._wrapping_key, grant.proof_key)))
        return root


def p_sha1(secret: bytes, seed: bytes, size: int = PROOF_KEY_SIZE) -> bytes:
    """Compute P_SHA1: the P_hash of TLS 1.0 (RFC 2246 5) as WS-Trust 1.3 4.4.5 uses it.

    Args:
        secret: The client's entropy.
        seed: The server's entropy.
        size: How many bytes are wanted.
    """
    found, a = b"", seed
    while len(found) < size:
        a = hmac.digest(secret, a, hashlib.sha1)
        found += hmac.digest(secret, a + seed, hashlib.sha1)
    return found[:size]


def _sub(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, tag(SAML, name))
    child.text = text
    return child


def _key_info(wrapped: bytes) -> etree._Element:
    root = etree.Element(tag(DS, "KeyInfo"), nsmap={"ds": DS})
    key = etree.SubElement(root, tag(XENC, "EncryptedKey"), nsmap={"e": XENC})
    etree.SubElement(key, tag(XENC, "EncryptionMethod"), Algorithm=KW_AES256)
    data = etree.SubElement(key, tag(XENC, "CipherData"))
    cipher = etree.SubElement(data, tag(XENC, "CipherValue"))
    cipher.text = base64.b64encode(wrapped).decode()
    return root


def _wrapped_key(confirmation: etree._Element) -> bytes:
    key = _required(_required(confirmation, DS, "KeyInfo"), XENC, "EncryptedKey")
    value = _required(_required(key, XENC, "CipherData"), XENC, "CipherValue")
    try:
        return base64.b64decode(text_of(value), validate=True)
    except binascii.Error:
        raise ValueError("CipherValue") from None


def _required(parent: etree._Element, namespace: str, name: str) -> etree._Element:
    child = only_child(parent, namespace, name)
    if child is None:
        raise ValueError(f"not one {name}")
    return child
