"""RSA keys: making, encoding, and the digest by which a key is recognised."""

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from usbprov.errors import ObjectUnreadable

RSA_EXPONENT = 65537
"""The public exponent of every key made here (``protocol.md`` 5.2; NIST SP 800-56B)."""

RSA_SIZES = (2048, 3072, 4096)
"""The modulus lengths offered, in bits."""

DEFAULT_RSA_BITS = 2048


def generate_rsa(bits: int = DEFAULT_RSA_BITS) -> rsa.RSAPrivateKey:
    """Make an RSA key pair of ``bits`` bits; it takes 40 ms to seconds, without the GIL."""
    return rsa.generate_private_key(RSA_EXPONENT, bits)


def key_digest(key: PublicKeyTypes) -> str:
    """Return the SHA-256 of the key's SubjectPublicKeyInfo (DER, RFC 5280 4.1), lower-case hex."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def to_pkcs8(key: rsa.RSAPrivateKey) -> bytes:
    """Encode a private key as unencrypted PKCS#8 (DER, RFC 5958); keep it in memory only."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def from_pkcs8(der: bytes, *, authentic: bool = False) -> rsa.RSAPrivateKey:
    """Decode and check an unencrypted PKCS#8 RSA key (DER).

    Args:
        der: The key.
        authentic: Whether it is certain that it is what was written here. Then its numbers are not
            checked, which takes as long as making a key.

    Raises:
        ObjectUnreadable: It is no such key; the message holds nothing of its bytes.
    """
    try:
        key = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=authentic)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ObjectUnreadable("the private key", "it is no PKCS#8 key") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ObjectUnreadable("the private key", "it is not an RSA key")
    return key
