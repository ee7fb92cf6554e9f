"""X.509 certificates (RFC 5280): reading them, and the facts that are shown and compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from usbprov.errors import ObjectUnreadable
from usbprov.pki.keys import key_digest

_WHAT = "the certificate"
_KNOWN = 64
_LONGEST_NAME = 200
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_UNREADABLE = (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm)


@dataclass(frozen=True)
class CertificateSummary:
    """The facts of one certificate: digests in lower-case hex, names as shown, times in UTC."""

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
        return _checked(bytes(der))
    except _UNREADABLE as error:
        raise ObjectUnreadable(_WHAT, str(error)) from None


@lru_cache(_KNOWN)  # a job loads its certificate in every step, and all jobs those of the servers
def _checked(der: bytes) -> x509.Certificate:
    certificate = x509.load_der_x509_certificate(der)
    summarise(certificate)  # the library parses late; hostile bytes are to fail here
    if certificate.serial_number < 0:  # well-known old roots have 0
        raise ValueError("its serial number is negative (RFC 5280 4.1.2.2)")
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


@lru_cache(_KNOWN)
def thumbprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the whole certificate (DER), lower-case hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def summarise(certificate: x509.Certificate) -> CertificateSummary:
    """Collect the facts of a certificate that are shown, recorded and compared."""
    return CertificateSummary(
        sha256=thumbprint(certificate),
        sha1=certificate.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 - a name, not a proof
        serial=f"{certificate.serial_number:x}",
        subject=shown_name(certificate.subject),
        issuer=shown_name(certificate.issuer),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key_sha256=key_digest(certificate.public_key()),
    )


def shown_name(name: x509.Name) -> str:
    """Write a name as RFC 4514, fit for a terminal: a certificate may hold any characters."""
    text = name.rfc4514_string()
    return "".join(c if c.isprintable() else "?" for c in text)[:_LONGEST_NAME] or "(no name)"


def common_names(certificate: x509.Certificate) -> list[str]:
    """Return the subject's common names, in their order."""
    attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [str(attribute.value) for attribute in attributes]


def user_addresses(certificate: x509.Certificate) -> list[str]:
    """Return the addresses of users that a certificate names: ``alice@contoso.test``.

    They stand in common names, and as mail addresses, SIP URIs and user principal names in the
    subject alternative name (RFC 5280 4.2.1.6). Names without ``@`` are passed over.

    Raises:
        ObjectUnreadable: Its extensions are damaged.
    """
    try:
        alternatives = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
    except x509.ExtensionNotFound:
        alternatives = x509.SubjectAlternativeName([])
    except (*_UNREADABLE, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ObjectUnreadable(_WHAT, str(error)) from None
    names = [*common_names(certificate), *map(_alternative, alternatives)]
    return [_without_scheme(name) for name in names if "@" in name]


def _alternative(name: x509.GeneralName) -> str:
    if isinstance(name, x509.OtherName):
        # A UTF8String whose length takes one byte; a longer one is no address of a user.
        is_upn = name.type_id == _UPN and name.value[:1] == b"\x0c"
        return name.value[2:].decode("utf-8", "replace") if is_upn else ""
    if isinstance(name, x509.RFC822Name | x509.UniformResourceIdentifier):
        return name.value
    return ""


def _without_scheme(address: str) -> str:
    scheme, colon, rest = address.partition(":")
    return rest if colon and scheme.lower() in {"sip", "sips"} else address
