"""Whether a certificate may stand where it stands: its algorithms, uses and names (RFC 5280 4)."""

import ipaddress
from collections.abc import Mapping
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.oid import SignatureAlgorithmOID as Oid

from usbprov.pki.chains import RSA_WITH_SHA1
from usbprov.pki.limits import ChainLimits, SignatureKind

E = TypeVar("E", bound=x509.ExtensionType)

_KINDS: Mapping[x509.ObjectIdentifier, tuple[SignatureKind, str]] = {
    **dict.fromkeys(RSA_WITH_SHA1, (SignatureKind.RSA_SHA1, "RSA with SHA-1")),
    Oid.RSA_WITH_SHA224: (SignatureKind.RSA_SHA2, "RSA with SHA-224"),
    Oid.RSA_WITH_SHA256: (SignatureKind.RSA_SHA2, "RSA with SHA-256"),
    Oid.RSA_WITH_SHA384: (SignatureKind.RSA_SHA2, "RSA with SHA-384"),
    Oid.RSA_WITH_SHA512: (SignatureKind.RSA_SHA2, "RSA with SHA-512"),
    Oid.RSASSA_PSS: (SignatureKind.RSA_PSS, "RSASSA-PSS"),
    Oid.ECDSA_WITH_SHA1: (SignatureKind.ECDSA, "ECDSA with SHA-1"),
    Oid.ECDSA_WITH_SHA224: (SignatureKind.ECDSA, "ECDSA with SHA-224"),
    Oid.ECDSA_WITH_SHA256: (SignatureKind.ECDSA, "ECDSA with SHA-256"),
    Oid.ECDSA_WITH_SHA384: (SignatureKind.ECDSA, "ECDSA with SHA-384"),
    Oid.ECDSA_WITH_SHA512: (SignatureKind.ECDSA, "ECDSA with SHA-512"),
}

_WEAK = RSA_WITH_SHA1 | {Oid.ECDSA_WITH_SHA1}

_SERVER_USES = frozenset(
    {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)


def weakly_signed(certificate: x509.Certificate) -> bool:
    """Say whether its signature could be a forgery: SHA-1 collisions can be bought."""
    return certificate.signature_algorithm_oid in _WEAK


def too_new(
    certificate: x509.Certificate, limits: ChainLimits, *, signed: bool = True
) -> str | None:
    """Say in words what of a certificate lies beyond the limits, or None.

    Args:
        certificate: Any one of a chain.
        limits: The verifier's.
        signed: Whether its signature counts. It does for a root that is yet to be installed,
            though nobody need verify it: phones have failed over a root with SHA-2 or 4096 bits
            that was put into their store.
    """
    kind, words = _KINDS.get(
        certificate.signature_algorithm_oid,
        (None, f"the algorithm {certificate.signature_algorithm_oid.dotted_string}"),
    )
    if signed and kind not in limits.signatures:
        return f"it is signed with {words}, which the phone does not know"
    return _key_too_new(certificate, limits)


def _key_too_new(certificate: x509.Certificate, limits: ChainLimits) -> str | None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if limits.rsa_bits is not None and key.key_size > limits.rsa_bits:
            return f"its RSA key has {key.key_size} bits, the phone takes {limits.rsa_bits} at most"
        return None
    if isinstance(key, ec.EllipticCurvePublicKey) and SignatureKind.ECDSA in limits.signatures:
        return None
    return "its key is of a kind that the phone does not know"


def unfit_ca(certificate: x509.Certificate, below: int) -> str | None:
    """Say in words why a certificate cannot be the CA above ``below`` other CAs, or None."""
    if certificate.version is x509.Version.v1 and certificate.subject == certificate.issuer:
        return None  # roots of before 1999 have no extensions
    try:
        constraints = _extension(certificate, x509.BasicConstraints)
        usage = _extension(certificate, x509.KeyUsage)
    except ValueError:
        return "its extensions are damaged"
    if constraints is None or not constraints.ca:
        return "it is not the certificate of a CA"
    if constraints.path_length is not None and constraints.path_length < below:
        return f"it allows {constraints.path_length} CAs below it, there are {below}"
    if usage is not None and not usage.key_cert_sign:
        return "it may not sign certificates"
    return None


def unfit_server(certificate: x509.Certificate) -> str | None:
    """Say in words why a certificate cannot be a TLS server's, or None."""
    try:
        uses = _extension(certificate, x509.ExtendedKeyUsage)
    except ValueError:
        return "its extensions are damaged"
    if uses is not None and not _SERVER_USES & set(uses):
        return "it is not for servers"
    return None


def covers_host(certificate: x509.Certificate, host: str) -> bool:
    """Say whether a server's certificate is for a DNS name or IP address (RFC 6125 6.4).

    The subject's common name does not count; an asterisk stands for the whole first label.
    """
    try:
        names = _extension(certificate, x509.SubjectAlternativeName)
    except ValueError:
        return False
    if names is None:
        return False
    try:
        return ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        wanted = host.lower().rstrip(".")
    patterns = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    first, _, rest = wanted.partition(".")
    return wanted in patterns or bool(first and "." in rest and f"*.{rest}" in patterns)


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """Return an extension's value, or None if it is not there.

    Raises:
        ValueError: The certificate's extensions cannot be parsed.
    """
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm) as bad:
        raise ValueError(str(bad)) from None
