"""Web Services in memory: they sign real certificates, and count what they are asked."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from usbprov.errors import UsbprovError
from usbprov.phone.endpoint import Endpoint
from usbprov.pki.certificates import to_der
from usbprov.pki.keys import generate_rsa
from usbprov.pki.requests import load_request


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
) -> x509.Certificate:
    begin = datetime.now(UTC) + start
    return (
        x509.CertificateBuilder()
        .issuer_name(name(issuer))
        .subject_name(name(subject))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .sign(signing_key, hashes.SHA256())
    )


_KEY = generate_rsa()
ROOT = certify("Memory Root", _KEY, "Memory Root", _KEY.public_key())
SERVER = certify("Memory Root", _KEY, "localhost", _KEY.public_key())


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
    roots: tuple[x509.Certificate, ...] = (ROOT,)

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if self.errors.get(call):
            raise self.errors[call].pop(0)

    def ticket(self, credential: Any, endpoint: Endpoint, user: str | None) -> Any:
        self._called("ticket")
        return SimpleNamespace(sip_uri=self.user, expires=datetime.now(UTC) + timedelta(hours=8))

    def publish(self, ticket: Any, request: bytes, endpoint: Endpoint) -> bytes:
        self._called("publish")
        key = load_request(request).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        certified = _KEY.public_key() if self.certify_other_key else key
        subject = self.subject or self.user.removeprefix("sip:")
        return to_der(
            certify("Services", _KEY, subject, certified, start=self.start, days=self.days)
        )

    def presented_chain(self) -> list[bytes]:
        self._called("presented_chain")
        return [to_der(SERVER)]

    def trusted_roots(self) -> list[bytes]:
        return [to_der(root) for root in self.roots]
