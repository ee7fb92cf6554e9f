"""A Registrar that takes TLS-DSK, by OpenSSL's hands: a handler for ``SipServer``.

It shares no code with the client: the handshake is OpenSSL's, the signed text is put together here.
Each of its faults is a field.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from OpenSSL import SSL

from doubles.certificates import Party, issue, key
from doubles.sip_server import FRONT_END, TARGET, Asked
from usbprov.net.credentials import CertificateCredential
from usbprov.pki.certificates import to_der

REALM = "SIP Communications Service"
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
class DskRegistrar:
    """The server's side of TLS-DSK; ``published`` is the only certificate that it takes."""

    version: str = "1.2"
    ciphers: str = "AES128-SHA"
    published: x509.Certificate = ALICE.certificate
    party: Party = FRONT_END
    chain: tuple[x509.Certificate, ...] = ()
    target: str = TARGET
    protocol: int = 4
    asks_for_certificate: bool = True
    splits_records: bool = False
    mangle: Callable[[bytes, int], bytes] = lambda flight, number: flight
    signature: Callable[[str], str] = lambda right: right
    signs: bool = True
    numbers: Callable[[int], int] = lambda number: number
    final: tuple[str, ...] = ("200 OK", "Expires: 7200")
    target_later: str = ""
    accepted: list[str] = field(default_factory=list)
    signatures: int = 0
    flights: int = 0

    def __call__(self, asked: Asked) -> bytes:
        proof = asked.headers.get("authorization", "")
        data = parameter(proof, "gssapi-data")
        if not proof:
            self._begin()
            return asked.answer("401 Unauthorized", self._demand(f'sts-uri="{STS}"'))
        if data:
            return self._handshake(asked, base64.b64decode(data))
        return self._registered(asked, proof)

    def _begin(self) -> None:
        self.opaque = secrets.token_hex(4).upper()
        self.flights = self.signatures = 0
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

    def _demand(self, *more: str) -> str:
        target = self.target_later if self.target_later and self.flights else self.target
        names = (f'realm="{REALM}"', f'targetname="{target}"', f"version={self.protocol}")
        return f"WWW-Authenticate: TLS-DSK {', '.join([*more, *names])}"

    def _handshake(self, asked: Asked, flight: bytes) -> bytes:
        self.flights += 1
        self.tls.bio_write(flight)
        done = self._advance()
        if done and not self._known():
            return asked.answer(
                "401 Unauthorized",
                'ms-diagnostics: 1000;reason="Final handshake failed.";source="fe"',
            )
        answer = self.mangle(self._packed(self._written()), self.flights)
        text = base64.b64encode(answer).decode()
        opaque = f'opaque="{self.opaque}"'
        return asked.answer("401 Unauthorized", self._demand(opaque, f'gssapi-data="{text}"'))

    def _advance(self) -> bool:
        try:
            self.tls.do_handshake()
        except (SSL.WantReadError, SSL.Error):
            return False
        return True

    def _known(self) -> bool:
        shown = self.tls.get_peer_certificate(as_cryptography=True)
        return shown == self.published or not self.asks_for_certificate

    def _written(self) -> bytes:
        try:
            return self.tls.bio_read(1 << 16)
        except SSL.WantReadError:
            return b""

    def _packed(self, flight: bytes) -> bytes:
        """Put handshake messages that are not encrypted into one record, as known servers do."""
        return flight if self.splits_records else packed(flight)

    def _registered(self, asked: Asked, proof: str) -> bytes:
        signed = self._check(asked, proof)
        status, *more = self.final if "expires" not in asked.headers else ("200 OK", "Expires: 0")
        lines = [*more, *([self._information(asked, status, more)] if self.signs else [])]
        if signed:
            self.accepted.append(asked.headers["cseq"])
        return asked.answer(status, *lines)

    def _check(self, asked: Asked, proof: str) -> bool:
        """Verify the client's signature; a wrong one ends the test with an error."""
        response = parameter(proof, "response")
        if not response:
            return False
        frame = (parameter(proof, "crand"), parameter(proof, "cnum"), REALM, self.target)
        full = self.protocol > 2
        text = signed_text("TLS-DSK", frame, asked, asked.headers.get("expires", ""), full=full)
        assert parameter(proof, "opaque") == self.opaque
        assert response == self._sign(text, slice(64, 96)).upper()
        return True

    def _sign(self, text: str, part: slice) -> str:
        material = self.tls.export_keying_material(b"client EAP encryption", 128)
        return hmac.digest(material[part], text.encode(), "sha1").hex()

    def _information(self, asked: Asked, status: str, more: list[str]) -> str:
        self.signatures += 1
        salt, number = secrets.token_hex(4).upper(), str(self.numbers(self.signatures))
        expires = next((line[9:] for line in more if line.startswith("Expires: ")), "")
        frame = (salt, number, REALM, self.target)
        full = self.protocol > 2
        text = signed_text("TLS-DSK", frame, asked, expires, status[:3], full=full)
        right = self._sign(text, slice(96, 128))
        return (
            f'Authentication-Info: TLS-DSK qop="auth", opaque="{self.opaque}", srand="{salt}", '
            f'snum="{number}", rspauth="{self.signature(right)}", targetname="{self.target}", '
            f'realm="{REALM}", version={self.protocol}'
        )


SERVER_TAG = "9588410E2DA11CEE9D0AE7733E07830F"


def signed_text(
    scheme: str,
    frame: tuple[str, str, str, str],
    asked: Asked,
    expires: str,
    *status: str,
    full: bool = True,
) -> str:
    """Put the signed text together; before version 3 it is not the full one."""
    number, method = asked.headers["cseq"].split()
    sender, to = asked.headers["from"], asked.headers["to"]
    uri = re.compile(r"<([^>]*)>")
    values = [
        scheme,
        *frame,
        asked.headers["call-id"],
        number,
        method,
        uri.search(sender)[1],
        parameter(sender, "tag"),
        *([uri.search(to)[1]] if full else []),
        SERVER_TAG if status else "",
        *(["", ""] if full else []),
        expires,
        *status,
    ]
    return "".join(f"<{value}>" for value in values)


def parameter(text: str, name: str) -> str:
    """Return a parameter of a header, with quotes or without, or ``""``."""
    found = re.search(rf'\b{name}=(?:"([^"]*)"|([^\s,;]+))', text)
    return (found[1] or found[2] or "") if found else ""


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
