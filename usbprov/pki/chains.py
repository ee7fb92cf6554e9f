"""The links of a chain: who issued a certificate, by name and signature (RFC 5280 6.1.3 a)."""

from collections.abc import Collection
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import SignatureAlgorithmOID

RSA_WITH_SHA1 = frozenset(
    {SignatureAlgorithmOID.RSA_WITH_SHA1, x509.ObjectIdentifier("1.3.14.3.2.29")}
)
"""RSASSA-PKCS1-v1_5 with SHA-1, and the older name that Windows once gave it."""

_KNOWN = 64
"""Pairs of certificates of which it is remembered: all phones of a bench meet the same servers."""


@lru_cache(_KNOWN)
def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Say whether ``issuer``'s name and key are those that signed ``certificate``.

    RSA with SHA-1 is verified, since old phones and CAs have nothing else; whether it proves
    anything is for the caller to say. MD5 never is.
    """
    try:
        if certificate.signature_algorithm_oid in RSA_WITH_SHA1:
            _verify_sha1(certificate, issuer)
        else:
            certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _verify_sha1(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Verify what the library does not verify any more; raises as it does."""
    key = issuer.public_key()
    if certificate.issuer != issuer.subject or not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("another name or kind of key")
    signed = certificate.tbs_certificate_bytes
    key.verify(certificate.signature, signed, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303


def is_root(certificate: x509.Certificate, anchors: Collection[x509.Certificate] = ()) -> bool:
    """Say whether a certificate is self-issued, and self-signed or one of the ``anchors``.

    An anchor's own signature counts for nothing (RFC 5280 6.1), and old ones have MD5.
    """
    if certificate.subject != certificate.issuer:
        return False
    return certificate in anchors or is_issued_by(certificate, certificate)
