"""Proof of possession: the key derived with the server, and the signed headers that show a key.

WS-Trust 1.3 4.4.4 (computed keys), WSS 1.1 with the SAML and X.509 token profiles, XML-Signature.
What a ticket signs, and how it is written, is in ``protocol.md`` 4.5 and 4.6.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable
from typing import Final
from xml.sax.saxutils import escape

from usbprov.webservices.names import (
    DSIG,
    EXC_C14N,
    HMAC_SHA1,
    RSA_SHA256,
    SAML_ASSERTION_ID,
    SAML_TOKEN,
    SHA1,
    SHA256,
    STANDARD_BASE64,
    WSSE,
    WSU,
    X509_TOKEN,
)
from usbprov.webservices.rawcut import canonical
from usbprov.webservices.xmlsafe import parse

KEY_SIZE: Final = 32
"""Bytes of a proof key, and of the client's share of it."""


def p_sha1(secret: bytes, seed: bytes, length: int = KEY_SIZE) -> bytes:
    """Expand two shares into a key: P_hash of RFC 2246 5 with HMAC-SHA1, no label."""
    key, link = b"", seed
    while len(key) < length:
        link = hmac.digest(secret, link, "sha1")
        key += hmac.digest(secret, link + seed, "sha1")
    return key[:length]


def timestamp(lifetime: bytes) -> bytes:
    """Return the ``wsu:Timestamp`` with the ticket's Created and Expires, as they came.

    Args:
        lifetime: The bytes of both elements; prefixed ones must use ``wsu``.
    """
    head = f'<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="timestamp">'
    return head.encode() + lifetime + b"</wsu:Timestamp>"


def signature(stamp: bytes, key: bytes, assertion_id: str) -> bytes:
    """Return the ``ds:Signature`` (UTF-8) with the proof key over a timestamp.

    Args:
        stamp: The ``wsu:Timestamp`` element.
        key: The proof key.
        assertion_id: AssertionID of the ticket.

    Raises:
        AnswerInvalid: The timestamp is not well-formed.
    """
    digest = hashlib.sha1(_canonical(stamp), usedforsecurity=False).digest()
    info = _signed_info(HMAC_SHA1, SHA1, digest)
    reference = (
        f'<wsse:SecurityTokenReference xmlns:wsse="{WSSE}" wsse:TokenType="{SAML_TOKEN}">'
        f'<wsse:KeyIdentifier ValueType="{SAML_ASSERTION_ID}">{escape(assertion_id)}'
        "</wsse:KeyIdentifier></wsse:SecurityTokenReference>"
    )
    return _signature(info, hmac.digest(key, info, "sha1"), reference)


def x509_token(certificate: bytes) -> bytes:
    """Return the ``wsse:BinarySecurityToken`` (UTF-8) with a certificate (DER), to be signed by."""
    return (
        f'<wsse:BinarySecurityToken xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" wsu:Id="{_X509_ID}"'
        f' ValueType="{X509_TOKEN}" EncodingType="{STANDARD_BASE64}">{_base64(certificate)}'
        "</wsse:BinarySecurityToken>"
    ).encode()


def x509_signature(stamp: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Return the ``ds:Signature`` (UTF-8) over a timestamp with the key of ``x509_token``.

    RSASSA-PKCS1-v1_5 with SHA-256: what public texts say of the certificate port does not name an
    algorithm (``protocol.md`` 4.2 d), SHA-1 is past its time, and a phone signs a DigestInfo of
    SHA-256 and none of SHA-1.

    Args:
        stamp: The ``wsu:Timestamp`` element.
        sign: Signs a DigestInfo of SHA-256, as ``CertificateCredential`` says.
    """
    info = _signed_info(RSA_SHA256, SHA256, hashlib.sha256(_canonical(stamp)).digest())
    reference = (
        f'<wsse:SecurityTokenReference xmlns:wsse="{WSSE}">'
        f'<wsse:Reference URI="#{_X509_ID}" ValueType="{X509_TOKEN}"></wsse:Reference>'
        "</wsse:SecurityTokenReference>"
    )
    return _signature(info, sign(digest_info(info)), reference)


_X509_ID: Final = "certificate"

_SHA256_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")
"""DigestInfo of SHA-256, up to the digest (RFC 8017 9.2, note 1)."""


def digest_info(data: bytes) -> bytes:
    """Return the SHA-256 DigestInfo of ``data``, 51 bytes: what PKCS#1 v1.5 pads and signs."""
    return _SHA256_INFO + hashlib.sha256(data).digest()


def _canonical(stamp: bytes) -> bytes:
    return canonical(parse(stamp, "").root)


def _signed_info(signed_by: str, digested_by: str, digest: bytes) -> bytes:
    """Write SignedInfo in its canonical form, so that it is signed as it stands."""
    return (
        f'<SignedInfo xmlns="{DSIG}">'
        f'<CanonicalizationMethod Algorithm="{EXC_C14N}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{signed_by}"></SignatureMethod>'
        '<Reference URI="#timestamp">'
        f'<Transforms><Transform Algorithm="{EXC_C14N}"></Transform></Transforms>'
        f'<DigestMethod Algorithm="{digested_by}"></DigestMethod>'
        f"<DigestValue>{_base64(digest)}</DigestValue></Reference></SignedInfo>"
    ).encode()


def _signature(info: bytes, value: bytes, reference: str) -> bytes:
    tail = f"<SignatureValue>{_base64(value)}</SignatureValue><KeyInfo>{reference}</KeyInfo>"
    return f'<Signature xmlns="{DSIG}">'.encode() + info + tail.encode() + b"</Signature>"


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
