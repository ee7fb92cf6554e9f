"""A PKI in memory: authorities over authorities, servers below them, each with its own faults."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from usbprov.pki.certificates import to_der
from usbprov.pki.keys import generate_rsa

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
NOW = datetime.now(UTC).replace(microsecond=0)
CA = x509.BasicConstraints(ca=True, path_length=None)
NO_CA = x509.BasicConstraints(ca=False, path_length=None)
_SHA256_RSA = bytes.fromhex("06092a864886f70d01010b")
_SHA1_RSA = bytes.fromhex("06092a864886f70d010105")


@cache
def key(number: int) -> rsa.RSAPrivateKey:
    """Make few keys: each costs 50 ms."""
    return generate_rsa()


@dataclass(frozen=True)
class Party:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: Key


def issue(
    subject: str,
    issuer: Party | None = None,
    *,
    own: Key | None = None,
    days: tuple[float, float] = (-1, 365),
    extensions: Sequence[x509.ExtensionType] = (CA,),
    names: Sequence[str] = (),
    sha1: bool = False,
) -> Party:
    """Issue a certificate; without an issuer it signs itself."""
    own = own or key(len(subject) % 5)
    signer = issuer.key if issuer else own
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer.certificate.subject if issuer else _name(subject))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
    )
    for extension in [*extensions, *_alternative(names)]:
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    return Party(_with_sha1(certificate, signer) if sha1 else certificate, own)


def server(subject: str, issuer: Party | None, host: str = "pool.contoso.test", **more) -> Party:
    """Issue a server's certificate."""
    more.setdefault("extensions", (NO_CA,))
    return issue(subject, issuer, names=[host], **more)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(names: Sequence[str]) -> list[x509.SubjectAlternativeName]:
    return [x509.SubjectAlternativeName([_general(name) for name in names])] if names else []


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def with_oid(certificate: x509.Certificate, oid: str) -> x509.Certificate:
    """Name another algorithm of PKCS#1 as that of the signature, which then is wrong."""
    der = to_der(certificate).replace(_SHA256_RSA, bytes.fromhex(oid))
    return x509.load_der_x509_certificate(der)


def _with_sha1(certificate: x509.Certificate, signer: Key) -> x509.Certificate:
    """Sign anew with SHA-1, which no library does: the identifiers are of one length."""
    assert isinstance(signer, rsa.RSAPrivateKey)
    tbs = certificate.tbs_certificate_bytes.replace(_SHA256_RSA, _SHA1_RSA, 1)
    signature = signer.sign(tbs, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    der = to_der(certificate).replace(certificate.tbs_certificate_bytes, tbs)
    der = der.replace(_SHA256_RSA, _SHA1_RSA, 1).replace(certificate.signature, signature)
    return x509.load_der_x509_certificate(der)
