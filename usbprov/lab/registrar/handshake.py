"""The server's side of the TLS handshake inside ``gssapi-data`` ([MS-SIPAE] 3.3).

OpenSSL does it, in memory. It verifies CertificateVerify, so that the client has the key of the
certificate that it sends; whether that certificate counts is for the user store to say, and no
chain is built. The cipher suites have SHA-1 for their MAC, since only for these (and those with
MD5, which OpenSSL has no more) is it known with which hash messages are then signed.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from usbprov.lab.registrar.finished import NO_ENCRYPT_THEN_MAC, wrong_finished
from usbprov.lab.registrar.keys import DskKeys, Session, derive_keys, signature
from usbprov.lab.registrar.records import record, records, repack

VERSIONS = {
    "any": (SSL.TLS1_VERSION, SSL.TLS1_2_VERSION),
    "1.0": (SSL.TLS1_VERSION, SSL.TLS1_VERSION),
    "1.1": (SSL.TLS1_1_VERSION, SSL.TLS1_1_VERSION),
    "1.2": (SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION),
}
"""Lowest and highest version of the inner TLS, by the name of the policy ``dsk_tls``."""

_NAMES = {SSL.TLS1_VERSION: "TLS 1.0", SSL.TLS1_1_VERSION: "TLS 1.1", SSL.TLS1_2_VERSION: "TLS 1.2"}
_SUITES = b"kRSA+AES+SHA1:ECDHE+aRSA+AES+SHA1:DHE+aRSA+AES+SHA1:@SECLEVEL=0"
_LARGEST_FLIGHT = 1 << 16


class HandshakeFailed(Exception):
    """Raised when the client's part of the handshake is wrong; the text is OpenSSL's."""


@dataclass(frozen=True)
class Presented:
    """What the server proves itself with in the handshake: a key and a chain, leaf first."""

    key: rsa.RSAPrivateKey
    chain: Sequence[x509.Certificate]


class DskHandshake:
    """One handshake; then the signatures under its keys."""

    def __init__(self, presented: Presented, versions: str, *, lying: bool = False) -> None:
        """Wait for a ClientHello.

        Args:
            presented: The server's certificate.
            versions: A name of ``VERSIONS``.
            lying: Send a Finished that is not that of the handshake.
        """
        context = _context(presented, versions)
        if lying:
            context.set_options(NO_ENCRYPT_THEN_MAC)
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        self._lying = lying
        self._keys: DskKeys | None = None

    @property
    def complete(self) -> bool:
        """Whether the client's Finished has been verified."""
        return self._keys is not None

    @property
    def certificate(self) -> x509.Certificate:
        """The client's certificate, whose key he has proved to have."""
        found = self._tls.get_peer_certificate(as_cryptography=True)
        if found is None:
            raise HandshakeFailed("no client certificate")
        return found

    @property
    def protocol(self) -> str:
        """``TLS 1.0`` … ``TLS 1.2``."""
        return _NAMES.get(self._version, "")

    @property
    def cipher(self) -> str:
        """The suite's name, as OpenSSL writes it."""
        return self._tls.get_cipher_name() or ""

    def step(self, flight: bytes) -> bytes:
        """Take the client's records and return those that answer them.

        Raises:
            HandshakeFailed: They are wrong, or do not make a whole flight.
        """
        try:
            self._tls.bio_write(flight)
            self._go_on()
            made = repack(self._tls.bio_read(_LARGEST_FLIGHT))
            return self._with_wrong_finished(made) if self._lying and self.complete else made
        except SSL.WantReadError:
            raise HandshakeFailed("an incomplete flight") from None
        except SSL.Error as error:
            raise HandshakeFailed(_reason(error)) from None

    def sign(self, text: str) -> str:
        """Sign what the server sends, in hex."""
        return signature(self._signing().server, text)

    def sign_wrongly(self, text: str) -> str:
        """Sign with a key that is nobody's."""
        return signature(secrets.token_bytes(32), text)

    def verify(self, text: str, told: str) -> bool:
        """Say whether a signature (hex, upper or lower case) is the client's."""
        return secrets.compare_digest(
            signature(self._signing().client, text).encode(), told.lower().encode()
        )

    @property
    def _version(self) -> int:
        return self._tls.get_protocol_version()

    def _go_on(self) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return
        self._keys = derive_keys(self._session())

    def _session(self) -> Session:
        return Session(
            self._version,
            _bytes(self._tls.master_key()),
            _bytes(self._tls.client_random()),
            _bytes(self._tls.server_random()),
        )

    def _with_wrong_finished(self, flight: bytes) -> bytes:
        """Exchange the flight's last record, which is Finished."""
        *before, (_, version, _) = records(flight)
        made = b"".join(record(*part) for part in before)
        return made + wrong_finished(self._session(), version, self.cipher)

    def _signing(self) -> DskKeys:
        if self._keys is None:
            raise HandshakeFailed("not complete")
        return self._keys


def _context(presented: Presented, versions: str) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    lowest, highest = VERSIONS[versions]
    context.set_cipher_list(_SUITES)
    context.set_min_proto_version(lowest)
    context.set_max_proto_version(highest)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION)
    context.use_privatekey(presented.key)
    context.use_certificate(presented.chain[0])
    for certificate in presented.chain[1:]:
        context.add_extra_chain_cert(certificate)
    required = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(required, _any_chain)
    return context


def _any_chain(*_: object) -> bool:
    """Let every chain pass: a published certificate chains to nothing, and is looked up."""
    return True


def _bytes(found: bytes | None) -> bytes:
    if not found:
        raise HandshakeFailed("no secrets")
    return found


def _reason(error: SSL.Error) -> str:
    """Return OpenSSL's words for what was wrong."""
    entries = error.args[0] if error.args else ()
    return "; ".join(entry[-1] for entry in entries if entry) or type(error).__name__
