"""A network in memory: servers that present themselves, and a Registrar that verifies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from doubles.services import HOST, ROOT, SERVER, MemoryServices
from usbprov.errors import ServerUnreachable, UsbprovError
from usbprov.net.credentials import CertificateCredential, WindowsCredential
from usbprov.phone.endpoint import Endpoint
from usbprov.pki.certificates import load_certificate
from usbprov.registrar.client import Challenge, SignIn
from usbprov.webservices.discovery.report import Discovery, DiscoveryRequest
from usbprov.webservices.trust.servers import Server, ServerAddress
from usbprov.webservices.trust.sources import GivenSource, SourceName

URL = f"https://{HOST}/CertProv/CertProvisioningService.svc"
REGISTRAR = f"{HOST}:5061"


@dataclass
class MemoryRegistrar:
    """Takes a certificate whose key signs; ``errors`` has what its calls fail with, once each."""

    schemes: tuple[str, ...] = ("TLS-DSK", "NTLM")
    certificate_service: str | None = URL
    errors: dict[str, list[UsbprovError]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    endpoints: list[Endpoint] = field(default_factory=list)
    credentials: list[object] = field(default_factory=list)
    redirects: tuple[str, ...] = ()
    signed_out: bool = True

    def _called(self, call: str, endpoint: Endpoint) -> None:
        self.calls.append(call)
        self.endpoints.append(endpoint)
        if self.errors.get(call):
            raise self.errors[call].pop(0)

    def challenge(self, user: str, endpoint: Endpoint) -> Challenge:
        self._called("challenge", endpoint)
        return Challenge(self.schemes, HOST, self.certificate_service)

    def sign_in(
        self, user: str, credential: CertificateCredential | WindowsCredential, endpoint: Endpoint
    ) -> SignIn:
        self.credentials.append(credential)
        if isinstance(credential, WindowsCredential):
            self._called("account", endpoint)
            return self._done("NTLM", "", "")
        self._called("sign_in", endpoint)
        _verify(credential)
        return self._done("TLS-DSK", "TLS 1.2", "TLS_RSA_WITH_AES_128_CBC_SHA")

    def _done(self, scheme: str, protocol: str, cipher: str) -> SignIn:
        return SignIn(HOST, scheme, protocol, cipher, self.redirects, 7200, self.signed_out, 5)


def _verify(credential: CertificateCredential) -> None:
    """Verify a signature of TLS 1.2's form, as a server does."""
    digest_info = bytes.fromhex("3031300d060960864801650304020105000420") + bytes(32)
    key = load_certificate(credential.certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    block = key.recover_data_from_signature(
        credential.sign(digest_info), padding.PKCS1v15(), hashes.SHA256()
    )
    assert block == bytes(32)


@dataclass
class MemoryNetwork:
    """Everything is at one host; ``unknown`` are names, ``refusals`` addresses that fail."""

    web: MemoryServices = field(default_factory=lambda: MemoryServices(downloaded=(ROOT,)))
    sip: MemoryRegistrar = field(default_factory=MemoryRegistrar)
    chain: tuple[x509.Certificate, ...] = (SERVER,)
    unknown: frozenset[str] = frozenset()
    refusals: dict[str, UsbprovError] = field(default_factory=dict)
    found: Callable[[DiscoveryRequest], Discovery] | None = None
    asked: list[str] = field(default_factory=list)

    def discover(self, request: DiscoveryRequest) -> Discovery:
        self.asked.append("discover")
        assert self.found is not None
        return self.found(request)

    def addresses(self, host: str) -> tuple[str, ...]:
        if host in self.unknown:
            raise ServerUnreachable(host, "the name is not known")
        return ("192.0.2.1",)

    def look_at(self, address: ServerAddress) -> Server:
        self.asked.append(str(address))
        if str(address) in self.refusals:
            raise self.refusals[str(address)]
        return Server(address, self.chain)

    def services(self, url: str) -> MemoryServices:
        return self.web

    def registrar(self, address: ServerAddress) -> MemoryRegistrar:
        return self.sip

    def download(self, url: str) -> GivenSource:
        self.asked.append(url)
        downloaded: Sequence[x509.Certificate] = self.web.downloaded
        return GivenSource(SourceName.DOWNLOAD, url, tuple(downloaded), protected=False)
