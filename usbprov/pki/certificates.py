"""X.509 certificates (RFC 5280): reading them, and the facts that are shown and compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from usbprov.errors import ObjectUnreadable
from usbprov.pki.keys import key_digest

_WHAT = "the certificate"
_UNREADABLE = (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm)


@dataclass(frozen=True)
class CertificateSummary:
    """The facts of one certificate: digests in lower-case hex, names as RFC 4514, times in UTC."""

    sha256: str
    sha1: str
    serial: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    key_sha256: str


def load_certificate(der: bytes) -> x509.Certificate:
    """Parse one certificate (DER), so far that its key, names and times can be read.

    Raises:
        ObjectUnreadable: It is not a certificate, or for an unknown kind of key.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        summarise(certificate)  # the library parses late; hostile bytes are to fail here
        if certificate.serial_number <= 0:
            raise ValueError("its serial number is not positive (RFC 5280 4.1.2.2)")
    except _UNREADABLE as error:
        raise ObjectUnreadable(_WHAT, str(error)) from None
    return certificate


def load_pem_certificates(pem: bytes) -> list[x509.Certificate]:
    """Parse every certificate of a PEM file, in its order.

    Raises:
        ObjectUnreadable: There is none, or one is damaged.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except _UNREADABLE as error:
        raise ObjectUnreadable("the PEM file", str(error)) from None


def to_der(certificate: x509.Certificate) -> bytes:
    """Encode a certificate as DER."""
    return certificate.public_bytes(Encoding.DER)


def to_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """Encode certificates as one PEM file, in the order given."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def thumbprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the whole certificate (DER), lower-case hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def summarise(certificate: x509.Certificate) -> CertificateSummary:
    """Collect the facts of a certificate that are shown, recorded and compared."""
    return CertificateSummary(
        sha256=thumbprint(certificate),
        sha1=certificate.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 - a name, not a proof
        serial=f"{certificate.serial_number:x}",
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key_sha256=key_digest(certificate.public_key()),
    )


def common_names(certificate: x509.Certificate) -> list[str]:
    """Return the subject's common names, in their order."""
    attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [str(attribute.value) for attribute in attributes]
