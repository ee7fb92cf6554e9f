"""Chains: from a server's certificate upwards to a root, by name and signature (RFC 5280 6)."""

from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Say whether ``issuer``'s name and key are those that signed ``certificate``."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def build_chain(
    leaf: x509.Certificate, candidates: Iterable[x509.Certificate]
) -> list[x509.Certificate]:
    """Order certificates from ``leaf`` upwards as far as ``candidates`` reach.

    The first issuer found is taken at each level, and none twice; the last element is a root
    (self-issued) if the chain is complete. Validity times are not looked at.
    """
    chain, left = [leaf], list(candidates)
    while not is_root(chain[-1]):
        issuer = next((c for c in left if is_issued_by(chain[-1], c)), None)
        if issuer is None:
            break
        left.remove(issuer)
        chain.append(issuer)
    return chain


def is_root(certificate: x509.Certificate) -> bool:
    """Say whether the certificate is self-issued: its subject is its issuer."""
    return certificate.subject == certificate.issuer
