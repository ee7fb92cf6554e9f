"""Web Services in memory: they sign real certificates, and count what they are asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from usbprov.errors import UsbprovError
from usbprov.net.credentials import Way
from usbprov.phone.endpoint import Endpoint
from usbprov.pki.certificates import to_der
from usbprov.pki.keys import generate_rsa
from usbprov.pki.requests import load_request
from usbprov.webservices.trust.sources import GivenSource, SourceName

HOST = "pool.contoso.test"


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certify(
    issuer: str,
    signing_key: rsa.RSAPrivateKey,
    subject: str,
    public_key: rsa.RSAPublicKey,
    *,
    start: timedelta = timedelta(minutes=-5),
    days: float = 180,
    extensions: Sequence[x509.ExtensionType] = (),
) -> x509.Certificate:
    begin = datetime.now(UTC) + start
    builder = (
        x509.CertificateBuilder()
        .issuer_name(name(issuer))
        .subject_name(name(subject))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signing_key, hashes.SHA256())


KEY = generate_rsa()
_CA = x509.BasicConstraints(ca=True, path_length=None)
ROOT = certify("Memory Root", KEY, "Memory Root", KEY.public_key(), extensions=[_CA])
SERVER = certify(
    "Memory Root",
    KEY,
    "localhost",
    KEY.public_key(),
    extensions=[x509.SubjectAlternativeName([x509.DNSName(HOST)])],
)


@dataclass
class MemoryServices:
    """Answers for one user; ``errors`` names the call that fails, once for each error given."""

    user: str = "sip:alice@contoso.test"
    errors: dict[str, list[UsbprovError | KeyboardInterrupt]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    subject: str | None = None
    certify_other_key: bool = False
    days: float = 180
    start: timedelta = timedelta(minutes=-5)
    offered: frozenset[Way] = frozenset(Way)
    kept: dict[str, Any] = field(default_factory=dict)
    roots: tuple[x509.Certificate, ...] = (ROOT,)
    chain: tuple[x509.Certificate, ...] = (SERVER,)
    downloaded: tuple[x509.Certificate, ...] = ()

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if self.errors.get(call):
            raise self.errors[call].pop(0)

    def choose(self, ways: Sequence[Way]) -> Way:
        return next(way for way in ways if way in self.offered)

    def kept_ticket(self, user: str) -> Any:
        return self.kept.get(user)

    def ticket(self, credential: Any, endpoint: Endpoint, user: str | None) -> Any:
        self._called("ticket")
        return SimpleNamespace(sip_uri=self.user, expires=datetime.now(UTC) + timedelta(hours=8))

    def publish(self, ticket: Any, request: bytes, endpoint: Endpoint) -> bytes:
        self._called("publish")
        key = load_request(request).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        certified = KEY.public_key() if self.certify_other_key else key
        subject = self.subject or self.user.removeprefix("sip:")
        return to_der(
            certify("Services", KEY, subject, certified, start=self.start, days=self.days)
        )

    def presented_chain(self) -> list[bytes]:
        self._called("presented_chain")
        return [to_der(certificate) for certificate in self.chain]

    def trusted_roots(self) -> list[bytes]:
        return [to_der(root) for root in self.roots]

    def chain_download(self) -> GivenSource:
        self._called("chain_download")
        where = f"http://{HOST}/CertProv/CertProvisioningService.svc"
        return GivenSource(SourceName.DOWNLOAD, where, self.downloaded, protected=False)
