"""The TLS within ``gssapi-data``: a handshake flight by flight, with a key that is elsewhere.

Python's ``ssl`` cannot use a key that stays in a phone. tlslite-ng can. No I/O: records in, records
out (RFC 2246, 4346, 5246).
"""

import errno
from collections.abc import Mapping

from usbprov.errors import HandshakeNotAgreed, RegistrarAnswerInvalid
from usbprov.net.credentials import CertificateCredential
from usbprov.registrar.curves import OpenSslCurves
from usbprov.registrar.distant_key import DistantKey
from usbprov.registrar.inner_alerts import failure
from usbprov.registrar.tlslite_names import (
    X509,
    CipherSuite,
    HandshakeSettings,
    X509CertChain,
)

_RECORD_HEADER = 5
_WAITS_FOR_SERVER = 0
VERSIONS: Mapping[tuple[int, int], str] = {
    (3, 1): "TLS 1.0",
    (3, 2): "TLS 1.1",
    (3, 3): "TLS 1.2",
}
"""What the server may choose."""


class InnerTls:
    """The client's side of one handshake.

    Attributes:
        done: Whether the handshake is complete, the server's Finished verified.
    """

    def __init__(self, credential: CertificateCredential, server: str) -> None:
        """Prepare.

        Args:
            credential: The user's certificate, and what signs with its key.
            server: Whom it is with, for errors.

        Raises:
            ObjectUnreadable: The certificate cannot be read.
            CertificateUnfit: Its key is no RSA key.
        """
        self.done = False
        self._server = server
        self._key = DistantKey(credential)
        self._pipe = _Pipe()
        self._tls = OpenSslCurves(self._pipe)
        own = X509()
        own.parseBinary(credential.certificate)  # that one alone: no known client sends a chain
        self._work = self._tls.handshakeClientCert(
            X509CertChain([own]), self._key, settings=_settings(), async_=True
        )

    @property
    def committed(self) -> bool:
        """Whether the client's certificate and its signature have been made."""
        return self._key.used

    @property
    def protocol(self) -> str:
        """The version, once done: ``TLS 1.0``."""
        return VERSIONS[self._tls.version]

    @property
    def cipher(self) -> str:
        """The cipher suite, once done, by its name in the RFCs."""
        return str(CipherSuite.ietfNames[self._tls.session.cipherSuite])

    @property
    def presented(self) -> list[bytes]:
        """The server's certificates, once done: DER, its own first."""
        return [bytes(found.bytes) for found in self._tls.session.serverCertChain.x509List]

    def begin(self) -> bytes:
        """Return the ClientHello."""
        return self._advance()

    def step(self, flight: bytes) -> bytes:
        """Take a flight of the server and return ours; it is empty when the handshake is done.

        Raises:
            HandshakeNotAgreed: No version or cipher suite suits both.
            CertificateNotAccepted: The server refuses the certificate or the signature.
            RegistrarUnproved: The server's Finished, or its signature, is wrong.
            RegistrarAnswerInvalid: The flight breaks the rules of TLS.
            PossessionUnproved: The signature is not that of the certificate's key.
            UsbprovError: What the signer raises.
        """
        self._pipe.feed(flight, self._server)
        try:
            answer = self._advance()
        except Exception as error:  # the library raises what its parsing happens to raise
            if self._key.failure is not None:
                raise self._key.failure from None
            raise failure(error, self._server, committed=self.committed) from None
        self._check(answer)
        return answer

    def export(self, label: bytes, size: int) -> bytes:
        """Return keying material of a handshake that is done (RFC 5705, without context)."""
        return bytes(self._tls.keyingMaterialExporter(label, size))

    def _advance(self) -> bytes:
        """Let the handshake go on until it waits for the server, or is done."""
        self.done = all(state != _WAITS_FOR_SERVER for state in self._work)
        return self._pipe.taken()

    def _check(self, answer: bytes) -> None:
        """Look for what the library lets pass."""
        if not (answer or self.done):
            raise RegistrarAnswerInvalid(self._server, "its handshake stops in the middle")
        if not self.committed:
            raise RegistrarAnswerInvalid(self._server, "its handshake asks for no certificate")
        if self.done and self._tls.session.cipherSuite not in CipherSuite.shaSuites:
            raise HandshakeNotAgreed(self._server, f"it chose {self.cipher}, which was not offered")
        if self.done and self._pipe.waiting:
            raise RegistrarAnswerInvalid(self._server, "something follows its Finished")


def _settings() -> HandshakeSettings:
    """Say what is offered: what phones and servers of this world have, and nothing else.

    Cipher suites with HMAC-SHA1 only: signatures of SIP messages use the suite's hash, and what
    servers do with one of SHA-256 is not publicly known. PKCS#1 v1.5 with SHA-256 only: phones
    sign nothing else.
    """
    settings = HandshakeSettings()
    settings.minVersion, settings.maxVersion = min(VERSIONS), max(VERSIONS)
    settings.versions = [*VERSIONS]
    settings.cipherNames = ["aes256", "aes128"]
    settings.macNames = ["sha"]
    settings.keyExchangeNames = ["rsa", "ecdhe_rsa"]
    settings.rsaSigHashes = ["sha256"]
    settings.rsaSchemes = ["pkcs1"]
    settings.ecdsaSigHashes = settings.dsaSigHashes = settings.more_sig_schemes = []
    settings.eccCurves = ["secp256r1", "secp384r1"]
    settings.keyShares = []
    settings.useEncryptThenMAC = False
    settings.use_heartbeat_extension = False
    settings.record_size_limit = None
    return settings


class _Pipe:
    """Stands for a socket: what is fed can be received, what is sent can be taken."""

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self._sent = bytearray()

    @property
    def waiting(self) -> bool:
        """Whether something was fed and not received."""
        return bool(self._records)

    def feed(self, flight: bytes, server: str) -> None:
        """Take a server's flight, cut into its records: the library reads ahead otherwise."""
        while flight:
            end = _RECORD_HEADER + int.from_bytes(flight[3:_RECORD_HEADER])
            if len(flight) < max(end, _RECORD_HEADER):
                raise RegistrarAnswerInvalid(server, "its handshake is cut off")
            self._records.append(flight[:end])
            flight = flight[end:]

    def taken(self) -> bytes:
        """Return what was sent since the last time."""
        sent, self._sent = bytes(self._sent), bytearray()
        return sent

    def recv(self, size: int) -> bytes:
        """Return the next record or a piece of it."""
        if not self._records:
            raise OSError(errno.EWOULDBLOCK, "the server has the word")
        data, rest = self._records[0][:size], self._records[0][size:]
        self._records[:1] = [rest] if rest else []
        return data

    def send(self, data: bytes) -> int:
        """Keep what is sent."""
        self._sent += data
        return len(data)

    def sendall(self, data: bytes) -> None:
        """Keep what is sent."""
        self._sent += data

    def close(self) -> None:
        """Do nothing: the library closes what failed."""
