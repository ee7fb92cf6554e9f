"""Proof of possession: the key derived with the server, and the signed header that shows it.

Pure functions. WS-Trust 1.3 4.4.4 (computed keys), WSS 1.1 SAML token profile, XML-Signature
with HMAC-SHA1; what is signed, and how it is written, is in ``protocol.md`` 4.5 and 4.6.
"""

import hashlib
import hmac
from base64 import b64encode
from typing import Final
from xml.sax.saxutils import escape

from usbprov.webservices.names import (
    DSIG,
    EXC_C14N,
    HMAC_SHA1,
    SAML_ASSERTION_ID,
    SAML_TOKEN,
    SHA1,
    WSSE,
    WSU,
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

    SignedInfo is written in its canonical form, so that it is signed as it stands.

    Args:
        stamp: The ``wsu:Timestamp`` element.
        key: The proof key.
        assertion_id: AssertionID of the ticket.

    Raises:
        AnswerInvalid: The timestamp is not well-formed.
    """
    digest = hashlib.sha1(canonical(parse(stamp, "").root), usedforsecurity=False).digest()
    info = _signed_info(_base64(digest)).encode()
    value = hmac.digest(key, info, "sha1")
    tail = (
        f"<SignatureValue>{_base64(value)}</SignatureValue>"
        f'<KeyInfo><wsse:SecurityTokenReference xmlns:wsse="{WSSE}" wsse:TokenType="{SAML_TOKEN}">'
        f'<wsse:KeyIdentifier ValueType="{SAML_ASSERTION_ID}">{escape(assertion_id)}'
        "</wsse:KeyIdentifier></wsse:SecurityTokenReference></KeyInfo></Signature>"
    )
    return f'<Signature xmlns="{DSIG}">'.encode() + info + tail.encode()


def _signed_info(digest: str) -> str:
    return (
        f'<SignedInfo xmlns="{DSIG}">'
        f'<CanonicalizationMethod Algorithm="{EXC_C14N}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{HMAC_SHA1}"></SignatureMethod>'
        '<Reference URI="#timestamp">'
        f'<Transforms><Transform Algorithm="{EXC_C14N}"></Transform></Transforms>'
        f'<DigestMethod Algorithm="{SHA1}"></DigestMethod>'
        f"<DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
    )


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
