"""A Registrar that takes TLS-DSK, by OpenSSL's hands: a handler for ``SipServer``.

It shares no code with the client. Each of its faults is a field.
"""

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from OpenSSL import SSL

from doubles.certificates import Party, issue, key
from doubles.signing_registrar import SigningRegistrar, parameter
from doubles.sip_server import FRONT_END, Asked
from usbprov.net.credentials import CertificateCredential
from usbprov.pki.certificates import to_der

STS = "https://pool.contoso.test:443/CertProv/CertProvisioningService.svc"
VERSIONS = {"1.0": SSL.TLS1_VERSION, "1.1": SSL.TLS1_1_VERSION, "1.2": SSL.TLS1_2_VERSION}
ALICE = issue("alice@contoso.test", own=key(4), extensions=())


@dataclass
class HeldKey:
    """A user's key as a phone has it: it signs blocks, and tells what it was asked to sign."""

    party: Party = ALICE
    blocks: list[bytes] = field(default_factory=list)
    error: Exception | None = None
    other_key: rsa.RSAPrivateKey | None = None

    def sign(self, block: bytes) -> bytes:
        self.blocks.append(block)
        if self.error:
            raise self.error
        signer = self.other_key or self.party.key
        assert isinstance(signer, rsa.RSAPrivateKey)
        return signer.sign(block, padding.PKCS1v15(), utils.NoDigestInfo())

    def credential(self) -> CertificateCredential:
        return CertificateCredential(to_der(self.party.certificate), self.sign)


@dataclass
class DskRegistrar(SigningRegistrar):
    """The server's side of TLS-DSK; ``published`` is the only certificate that it takes."""

    scheme: ClassVar[str] = "TLS-DSK"
    version: str = "1.2"
    ciphers: str = "AES128-SHA"
    published: x509.Certificate = ALICE.certificate
    party: Party = FRONT_END
    chain: tuple[x509.Certificate, ...] = ()
    asks_for_certificate: bool = True
    splits_records: bool = False
    mangle: Callable[[bytes, int], bytes] = lambda flight, number: flight

    def __call__(self, asked: Asked) -> bytes:
        proof = asked.headers.get("authorization", "")
        data = parameter(proof, "gssapi-data")
        if not proof:
            self.begin()
            return asked.answer("401 Unauthorized", self.demand(f'sts-uri="{STS}"'))
        if data:
            return self.handshake(asked, base64.b64decode(data))
        return self.registered(asked, proof)

    def begin(self) -> None:
        super().begin()
        self.tls = SSL.Connection(self._context(), None)
        self.tls.set_accept_state()

    def _context(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(VERSIONS[self.version])
        context.set_max_proto_version(VERSIONS[self.version])
        context.set_cipher_list(f"{self.ciphers}:@SECLEVEL=0".encode())
        context.set_options(SSL.OP_NO_TICKET)
        context.use_privatekey(self.party.key)
        context.use_certificate(self.party.certificate)
        for certificate in self.chain:
            context.add_extra_chain_cert(certificate)
        if self.asks_for_certificate:
            must = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
            context.set_verify(must, lambda *_: True)
        return context

    def handshake(self, asked: Asked, flight: bytes) -> bytes:
        self.flights += 1
        self.tls.bio_write(flight)
        done = self._advance()
        if done and not self._known():
            return asked.answer(
                "401 Unauthorized",
                'ms-diagnostics: 1000;reason="Final handshake failed.";source="fe"',
            )
        answer = self.mangle(self._packed(self.written()), self.flights)
        text = base64.b64encode(answer).decode()
        opaque = f'opaque="{self.opaque}"'
        return asked.answer("401 Unauthorized", self.demand(opaque, f'gssapi-data="{text}"'))

    def _advance(self) -> bool:
        try:
            self.tls.do_handshake()
        except (SSL.WantReadError, SSL.Error):
            return False
        return True

    def _known(self) -> bool:
        shown = self.tls.get_peer_certificate(as_cryptography=True)
        return shown == self.published or not self.asks_for_certificate

    def written(self) -> bytes:
        try:
            return self.tls.bio_read(1 << 16)
        except SSL.WantReadError:
            return b""

    def _packed(self, flight: bytes) -> bytes:
        """Put handshake messages that are not encrypted into one record, as known servers do."""
        return flight if self.splits_records else packed(flight)

    def own_signature(self, text: str) -> str:
        return self.signed(text, slice(96, 128))

    def clients_signature(self, text: str) -> str:
        return self.signed(text, slice(64, 96))

    def signed(self, text: str, part: slice) -> str:
        material = self.tls.export_keying_material(b"client EAP encryption", 128)
        return hmac.digest(material[part], text.encode(), "sha1").hex()


def packed(flight: bytes) -> bytes:
    """Put neighbouring handshake records before ChangeCipherSpec into one."""
    packed_records, plain, encrypted = b"", b"", False
    while flight:
        end = 5 + int.from_bytes(flight[3:5])
        record, flight = flight[:end], flight[end:]
        if record[0] == 22 and not encrypted:
            plain += record[5:]
            version = record[1:3]
            continue
        encrypted |= record[0] == 20
        packed_records += record
    if plain:
        packed_records = b"\x16" + version + len(plain).to_bytes(2) + plain + packed_records
    return packed_records
