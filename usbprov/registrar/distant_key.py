"""An RSA key that is elsewhere, in a phone for one, made fit for the TLS library."""

from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from usbprov.errors import CertificateUnfit, PossessionUnproved
from usbprov.net.credentials import CertificateCredential
from usbprov.pki.certificates import load_certificate
from usbprov.registrar.tlslite_names import RSAKey


class DistantKey(RSAKey):  # type: ignore[misc]  # the library is not typed
    """Fulfils what the library asks of a private key, and has none.

    Attributes:
        used: Whether a signature has been made.
        failure: What the signer raised, or None: the library may bury it.
    """

    def __init__(self, credential: CertificateCredential) -> None:
        """Prepare.

        Args:
            credential: The certificate of the key, and what signs with it.

        Raises:
            ObjectUnreadable: The certificate cannot be read.
            CertificateUnfit: Its key is no RSA key.
        """
        self._public = _public_key(credential.certificate)
        self._sign = credential.sign
        self.used = False
        self.failure: Exception | None = None
        numbers = self._public.public_numbers()
        self.n, self.e = numbers.n, numbers.e
        self.key_type = "rsa"

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def hasPrivateKey(self) -> bool:  # noqa: N802 - the library's name
        """Say that it can sign."""
        return True

    def sign(
        self,
        block: bytearray,
        padding: str = "pkcs1",
        hashAlg: str | None = None,  # noqa: N803 - the library's name
        saltLen: int | None = None,  # noqa: N803
    ) -> bytearray:
        """Have a block signed, and check the signature: phones' links are long.

        Args:
            block: MD5 and SHA-1 of the handshake (36 bytes), or a DigestInfo of SHA-256 (51).
            padding: Always ``pkcs1``: no other was offered.
            hashAlg: None: the block is encoded already.
            saltLen: Not used.
        """
        if padding != "pkcs1" or hashAlg is not None:
            raise ValueError("only PKCS#1 v1.5 was offered")
        try:
            signature = self._sign(bytes(block))
            self._check(signature, bytes(block))
        except Exception as error:
            self.failure = error
            raise
        self.used = True
        return bytearray(signature)

    def verify(self, *_: object) -> bool:
        """Say that the signature is right, as ``sign`` has found."""
        return True

    def _check(self, signature: bytes, block: bytes) -> None:
        try:
            signed = self._public.recover_data_from_signature(signature, padding.PKCS1v15(), None)
        except InvalidSignature:
            signed = b""
        if signed != block:
            raise PossessionUnproved("what signs for the certificate")


def _public_key(certificate: bytes) -> rsa.RSAPublicKey:
    key = load_certificate(certificate).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise CertificateUnfit("its key is no RSA key, and TLS-DSK needs one")
    return key
