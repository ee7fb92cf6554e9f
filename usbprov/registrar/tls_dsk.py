"""TLS-DSK: a user is proved by a certificate, messages are signed with keys of that handshake.

[MS-SIPAE] 3.2.5.1 (the handshake and the keys) and 3.2.5.2 (the signatures); ``protocol.md`` 7.
"""

import hmac
from collections.abc import Callable

from usbprov.net.credentials import CertificateCredential
from usbprov.registrar.inner_tls import InnerTls

LABEL = b"client EAP encryption"
"""Label of the exporter (RFC 5216 2.3)."""

_MATERIAL = 128
_CLIENT_KEY = slice(64, 96)
_SERVER_KEY = slice(96, 128)
_HASH = "sha1"
"""The hash of every cipher suite that is offered."""


class TlsDsk:
    """The association by certificate."""

    scheme = "TLS-DSK"

    def __init__(
        self,
        credential: CertificateCredential,
        server: str,
        check: Callable[[list[bytes]], None],
    ) -> None:
        """Prepare.

        Args:
            credential: The user's certificate, and what signs with its key.
            server: Whom it is with, for errors.
            check: Judges the server's certificates of the handshake, and raises if they prove
                nothing.

        Raises:
            ObjectUnreadable: The certificate cannot be read.
            CertificateUnfit: Its key is no RSA key.
        """
        self._tls = InnerTls(credential, server)
        self._check = check
        self._keys: SigningKeys | None = None

    @property
    def ready(self) -> bool:
        """Whether the handshake is done, and the server is who it should be."""
        return self._keys is not None

    @property
    def committed(self) -> bool:
        """Whether the certificate has been put to use."""
        return self._tls.committed

    @property
    def protocol(self) -> str:
        """Version of the inner TLS, once ready."""
        return self._tls.protocol

    @property
    def cipher(self) -> str:
        """Cipher suite of the inner TLS, once ready."""
        return self._tls.cipher

    def begin(self) -> bytes:
        """Return the ClientHello."""
        return self._tls.begin()

    def step(self, token: bytes) -> bytes | None:
        """Take a flight of the server; return ours, or None when the handshake is done.

        Raises:
            RegistrarError: As ``InnerTls.step``, or the server's certificate proves nothing.
        """
        flight = self._tls.step(token)
        if self._tls.done:
            self._check(self._tls.presented)
            self._keys = SigningKeys(self._tls.export(LABEL, _MATERIAL))
        return flight or None

    def sign(self, text: bytes) -> str:
        """Return our signature, as the known clients write it: in capitals."""
        assert self._keys is not None  # noqa: S101 - it is ready
        return self._keys.sign(text)

    def verify(self, text: bytes, signature: str) -> bool:
        """Say whether a signature is the server's."""
        assert self._keys is not None  # noqa: S101 - it is ready
        return self._keys.verify(text, signature)


class SigningKeys:
    """The keys by which both sides sign, out of the exported material (``protocol.md`` 7.3)."""

    def __init__(self, material: bytes) -> None:
        """Take the keys out of 128 bytes of exported material."""
        self._own, self._servers = material[_CLIENT_KEY], material[_SERVER_KEY]

    def sign(self, text: bytes) -> str:
        """Return the client's signature over a text: HMAC-SHA1, in capital hex digits."""
        return hmac.digest(self._own, text, _HASH).hex().upper()

    def verify(self, text: bytes, signature: str) -> bool:
        """Say whether a signature, in hex digits of either case, is the server's."""
        expected = hmac.digest(self._servers, text, _HASH).hex()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())
