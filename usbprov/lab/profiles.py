"""X.509 profiles (RFC 5280) of the lab's certificates, as data, and the one way to make one."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATING = timedelta(minutes=5)
"""How long before now a certificate begins, for peers whose clock is a little behind."""

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Purpose(Enum):
    """What a certificate is for."""

    AUTHORITY = "certificate authority"
    SIGNING = "signing of tickets"
    SERVER = "TLS server"
    CLIENT = "TLS client"


_KEY_USAGE: Mapping[Purpose, frozenset[str]] = {
    Purpose.AUTHORITY: frozenset({"key_cert_sign", "crl_sign", "digital_signature"}),
    Purpose.SIGNING: frozenset({"digital_signature"}),
    Purpose.SERVER: frozenset({"digital_signature", "key_encipherment"}),
    Purpose.CLIENT: frozenset({"digital_signature", "key_encipherment"}),
}
_EXTENDED_KEY_USAGE: Mapping[Purpose, x509.ObjectIdentifier] = {
    Purpose.SERVER: ExtendedKeyUsageOID.SERVER_AUTH,
    Purpose.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH,
}


@dataclass(frozen=True)
class Identity:
    """A private key with the certificate of its public half."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate


@dataclass(frozen=True)
class Profile:
    """What a certificate says.

    Attributes:
        common_name: The one attribute of its subject.
        purpose: What it may be used for.
        life: From now to its end; a negative one makes a certificate that has expired.
        path_length: How many CAs may stand below, for an authority.
        names: DNS names and IP addresses of a server.
    """

    common_name: str
    purpose: Purpose
    life: timedelta
    path_length: int | None = None
    names: Sequence[str] = ()


def make_certificate(
    profile: Profile, key: rsa.RSAPublicKey, signer: Identity | rsa.RSAPrivateKey, now: datetime
) -> x509.Certificate:
    """Make a certificate for ``key``, signed with SHA-256.

    Args:
        profile: What it shall say.
        key: The key that it binds to the subject.
        signer: The issuer; or the private half of ``key``, for a self-signed certificate.
        now: The time at which it begins, less ``BACKDATING``.
    """
    issuer = signer.certificate.subject if isinstance(signer, Identity) else _name(profile)
    signing_key = signer.key if isinstance(signer, Identity) else signer
    start = min(now, now + profile.life) - BACKDATING
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(profile))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(now + profile.life)
    )
    for extension, critical in _extensions(profile, key, signing_key.public_key()):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signing_key, hashes.SHA256())


def _name(profile: Profile) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, profile.common_name)])


def _extensions(
    profile: Profile, key: rsa.RSAPublicKey, signing_key: rsa.RSAPublicKey
) -> list[tuple[x509.ExtensionType, bool]]:
    authority = profile.purpose is Purpose.AUTHORITY
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=authority, path_length=profile.path_length), True),
        (_key_usage(profile.purpose), True),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key), False),
    ]
    extended = _EXTENDED_KEY_USAGE.get(profile.purpose)
    if extended is not None:
        found.append((x509.ExtendedKeyUsage([extended]), False))
    if profile.names:
        found.append((x509.SubjectAlternativeName([general_name(n) for n in profile.names]), False))
    return found


def _key_usage(purpose: Purpose) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in _KEY_USAGE[purpose] for usage in _USAGES})


def general_name(name: str) -> x509.GeneralName:
    """Return the subject alternative name for a DNS name or an IP address."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
