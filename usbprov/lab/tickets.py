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

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from usbprov.lab.authority import Authority
from usbprov.lab.metadata import Endpoints
from usbprov.lab.names import (
    DS,
    HOLDER_OF_KEY,
    KW_AES256,
    PASSWORD_METHOD,
    SAML,
    URI_CLAIM,
    XENC,
    tag,
)
from usbprov.lab.soap import Fault, SoapFault, only_child, text_of
from usbprov.lab.times import read_time, write_time

TICKET_LIFE = timedelta(hours=8)
"""Lab choice: the real default is not publicly known."""

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
        proof_key: With which its holder signs.
    """

    sip_uri: str
    assertion_id: str
    not_before: datetime
    not_after: datetime
    proof_key: bytes = field(repr=False)


class Tickets:
    """Issues and opens the Web tickets of one front end."""

    def __init__(self, authority: Authority, endpoints: Endpoints) -> None:
        self._signer = authority.tickets
        self._wrapping_key = authority.wrapping_key
        self._issuer = endpoints.webticket
        self._audience = endpoints.proof_port

    def issue(
        self, sip_uri: str, proof_key: bytes, now: datetime, life: timedelta = TICKET_LIFE
    ) -> etree._Element:
        """Make and sign an assertion for the user, valid from ``now`` (whole seconds)."""
        assertion = self._assertion(sip_uri, proof_key, now, now + life)
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

    def open(self, assertion: etree._Element, now: datetime) -> Ticket:
        """Verify an assertion and return what its signed part says.

        Raises:
            SoapFault: The signature is not this server's, or the assertion is for another
                audience, from another issuer, or not valid now.
        """
        signed = self._signed_part(assertion)
        if signed.tag != tag(SAML, "Assertion"):
            raise SoapFault(Fault.INVALID_TOKEN, "what is signed is not the assertion")
        try:
            ticket = self._read(signed)
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

    def _read(self, signed: etree._Element) -> Ticket:
        conditions = _required(signed, SAML, "Conditions")
        restriction = _required(conditions, SAML, "AudienceRestrictionCondition")
        audience = text_of(only_child(restriction, SAML, "Audience"))
        if signed.get("Issuer") != self._issuer or audience != self._audience:
            raise ValueError("for another service")
        statement = _required(signed, SAML, "AuthenticationStatement")
        subject = _required(statement, SAML, "Subject")
        confirmation = _required(subject, SAML, "SubjectConfirmation")
        if text_of(only_child(confirmation, SAML, "ConfirmationMethod")) != HOLDER_OF_KEY:
            raise ValueError("not holder-of-key")
        return Ticket(
            sip_uri=text_of(_required(subject, SAML, "NameIdentifier")),
            assertion_id=signed.get(_ID_ATTRIBUTE, ""),
            not_before=read_time(conditions.get("NotBefore", "")),
            not_after=read_time(conditions.get("NotOnOrAfter", "")),
            proof_key=aes_key_unwrap(self._wrapping_key, _wrapped_key(confirmation)),
        )

    def _assertion(
        self, sip_uri: str, proof_key: bytes, start: datetime, end: datetime
    ) -> etree._Element:
        root = etree.Element(tag(SAML, "Assertion"), nsmap={"saml": SAML})
        root.set("MajorVersion", "1")
        root.set("MinorVersion", "1")
        root.set(_ID_ATTRIBUTE, f"{_ID_PREFIX}{uuid.uuid4()}")
        root.set("Issuer", self._issuer)
        root.set("IssueInstant", write_time(start))
        conditions = _sub(root, "Conditions")
        conditions.set("NotBefore", write_time(start))
        conditions.set("NotOnOrAfter", write_time(end))
        _sub(_sub(conditions, "AudienceRestrictionCondition"), "Audience", self._audience)
        statement = _sub(root, "AuthenticationStatement")
        statement.set("AuthenticationMethod", PASSWORD_METHOD)
        statement.set("AuthenticationInstant", write_time(start))
        subject = _sub(statement, "Subject")
        _sub(subject, "NameIdentifier", sip_uri).set("Format", URI_CLAIM)
        confirmation = _sub(subject, "SubjectConfirmation")
        _sub(confirmation, "ConfirmationMethod", HOLDER_OF_KEY)
        confirmation.append(_key_info(aes_key_wrap(self._wrapping_key, proof_key)))
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
