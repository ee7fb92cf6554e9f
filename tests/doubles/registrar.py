"""A Registrar in memory: it has the credential sign, and verifies the signature."""

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from usbprov.errors import UsbprovError
from usbprov.net.credentials import CertificateCredential
from usbprov.phone.endpoint import Endpoint
from usbprov.pki.certificates import load_certificate
from usbprov.registrar.client import SignIn

DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")  # SHA-256, RFC 8017 9.2


@dataclass
class MemoryRegistrar:
    """Signs in whoever holds his certificate's key; ``fails`` are raised first, one a call."""

    fails: list[UsbprovError] = field(default_factory=list)
    signed_in: list[tuple[str, Endpoint]] = field(default_factory=list)
    calls: int = 0

    def sign_in(self, user: str, credential: CertificateCredential, endpoint: Endpoint) -> SignIn:
        self.calls += 1
        if self.fails:
            raise self.fails.pop(0)
        key = load_certificate(credential.certificate).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        signature = credential.sign(DIGEST_INFO + hashlib.sha256(b"handshake").digest())
        key.verify(signature, b"handshake", padding.PKCS1v15(), hashes.SHA256())
        self.signed_in.append((user, endpoint))
        return SignIn("fe01.contoso.test", "TLS-DSK", "TLS 1.2", "AES", (), 7200, True, 5)
