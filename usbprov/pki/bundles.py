"""Files and answers with certificates: PEM, DER, and PKCS#7 certs-only, each told by its bytes."""

import base64
import binascii
import re
import warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from usbprov.errors import ObjectUnreadable
from usbprov.pki.certificates import load_certificate

MAX_BUNDLE = 4 * 1024 * 1024
"""The largest bundle in bytes; the list of all public CAs has a twentieth of that."""

MAX_CERTIFICATES = 1024
"""More certificates than this in one bundle are taken for an attack."""

_ARMOUR = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----(.*?)-----END \1-----", re.DOTALL)
_PEM_CERTIFICATES = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})
_PEM_PKCS7 = frozenset({b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA"})
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
"""The object identifier id-signedData (RFC 5652 5.1), with which PKCS#7 begins."""

_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+")
_UNREADABLE = (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm)


def load_bundle(data: bytes, what: str) -> list[x509.Certificate]:
    """Read every certificate of a file or answer, in its order, each once.

    Args:
        data: PEM (certificates, PKCS#7, or both), DER (one certificate, or PKCS#7 certs-only,
            RFC 5652 5.2), or either DER in base64 without armour.
        what: What it is, for the error: ``the file root.p7b``.

    Raises:
        ObjectUnreadable: It is none of these, holds no certificate, or a damaged one.
    """
    if len(data) > MAX_BUNDLE:
        raise ObjectUnreadable(what, f"it is larger than {MAX_BUNDLE} bytes")
    try:
        found = [load_certificate(der) for der in _certificates(data)]
    except ObjectUnreadable as error:
        raise ObjectUnreadable(what, error.problem) from None
    except _UNREADABLE as error:
        raise ObjectUnreadable(what, str(error) or "it is damaged") from None
    if not found:
        raise ObjectUnreadable(what, "there is no certificate in it")
    return list(dict.fromkeys(found))


def _certificates(data: bytes) -> list[bytes]:
    """Return the certificates as DER, of whatever form ``data`` has."""
    blocks = [(match[1], match[2]) for match in _ARMOUR.finditer(data)]
    if blocks:
        return _capped([der for kind, body in blocks for der in _block(kind, body)])
    if not data.startswith(b"\x30") and _BASE64.fullmatch(data.strip()):
        data = _unbase64(data)
    return _der(data)


def _block(kind: bytes, body: bytes) -> list[bytes]:
    """Return the certificates of one PEM block; a block of another kind, a key, has none."""
    if kind not in _PEM_CERTIFICATES | _PEM_PKCS7:
        return []
    der = _unbase64(body)
    return _der(der) if kind in _PEM_PKCS7 else [der]


def _der(der: bytes) -> list[bytes]:
    if _SIGNED_DATA not in der[:20]:
        return [der]
    with warnings.catch_warnings():  # the library warns of BER, which Windows may write
        warnings.simplefilter("ignore")
        found = pkcs7.load_der_pkcs7_certificates(der)
    return _capped([certificate.public_bytes(Encoding.DER) for certificate in found])


def _unbase64(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        raise ObjectUnreadable("", "its base64 is damaged") from None


def _capped(found: list[bytes]) -> list[bytes]:
    if len(found) > MAX_CERTIFICATES:
        raise ObjectUnreadable("", f"it holds more than {MAX_CERTIFICATES} certificates")
    return found
