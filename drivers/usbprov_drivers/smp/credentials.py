"""The emulated phone's cryptography: real checks of what is committed, real signatures."""

from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from usbprov.errors import ObjectUnreadable
from usbprov.phone.contract import POSSESSION_PREFIX
from usbprov.pki.certificates import load_certificate
from usbprov.pki.keys import RSA_EXPONENT, from_pkcs8, key_digest, to_pkcs8
from usbprov_drivers.smp.messages import Rc
from usbprov_drivers.smp.state import State, StoredKey

_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_MD5_SHA1 = 36


class Refused(Exception):
    """Raised inside the firmware to answer a command with an error code of the group."""

    def __init__(self, rc: Rc) -> None:
        super().__init__(rc.name)
        self.rc = rc


class KeyRing:
    """Private keys in working memory: checking one when it is parsed costs 50 ms and more."""

    def __init__(self) -> None:
        """Begin empty, as after a restart."""
        self._keys: dict[bytes, rsa.RSAPrivateKey] = {}

    def store(self, key: rsa.RSAPrivateKey, nonce: bytes) -> StoredKey:
        """Remember a key and turn it into what the memory keeps."""
        sha = bytes.fromhex(key_digest(key.public_key()))
        self._keys[sha] = key
        return StoredKey(to_pkcs8(key), nonce, sha)

    def take(self, pkcs8: bytes, nonce: bytes, sizes: tuple[int, ...]) -> StoredKey:
        """Parse, check and remember a host-made key.

        Raises:
            Refused: UNREADABLE, or UNSUPPORTED for a size or exponent that is not taken.
        """
        try:
            key = from_pkcs8(pkcs8)
        except ObjectUnreadable:
            raise Refused(Rc.UNREADABLE) from None
        if key.key_size not in sizes or key.public_key().public_numbers().e != RSA_EXPONENT:
            raise Refused(Rc.UNSUPPORTED)
        return self.store(key, nonce)

    def open(self, key: StoredKey) -> rsa.RSAPrivateKey:
        """Return a stored key, ready to sign."""
        if key.sha not in self._keys:
            self._keys[key.sha] = from_pkcs8(key.pkcs8)
        return self._keys[key.sha]

    def keep_only(self, state: State) -> None:
        """Forget every key that the memory no longer has."""
        held = {key.sha for slot in state.slots for key in (slot.key, slot.pending_key) if key}
        self._keys = {sha: key for sha, key in self._keys.items() if sha in held}


def parse(der: bytes) -> x509.Certificate:
    """Parse one certificate; raises ``Refused`` (UNREADABLE)."""
    try:
        return load_certificate(der)
    except ObjectUnreadable:
        raise Refused(Rc.UNREADABLE) from None


def check_certificate(der: bytes, key: StoredKey, now: datetime) -> None:
    """Check what COMMIT checks of a certificate: its key, and its validity at ``now``.

    Raises:
        Refused: UNREADABLE, KEY_MISMATCH or NOT_VALID_NOW.
    """
    certificate = parse(der)
    if _key_of(certificate) != key.sha:
        raise Refused(Rc.KEY_MISMATCH)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Refused(Rc.NOT_VALID_NOW)


def check_chain(chain: bytes) -> None:
    """Check that concatenated DER is a row of certificates; raises ``Refused`` (UNREADABLE)."""
    while chain:
        size = _der_size(chain)
        parse(chain[:size])
        chain = chain[size:]


def not_after(der: bytes) -> int:
    """Return the end of a stored certificate's validity, in seconds since 1970."""
    return int(load_certificate(der).not_valid_after_utc.timestamp())


def digest(data: bytes) -> bytes:
    """Return the SHA-256 of an object."""
    return sha256(data).digest()


def prove(key: rsa.RSAPrivateKey, nonce: bytes) -> bytes:
    """Sign the fixed prefix and the host's nonce."""
    return key.sign(POSSESSION_PREFIX + nonce, padding.PKCS1v15(), hashes.SHA256())


def sign_block(key: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """Sign a TLS block as it is.

    Raises:
        Refused: BLOCK_REFUSED for anything but MD5 || SHA-1 and a DigestInfo of SHA-256.
    """
    is_info = len(block) == len(_SHA256_INFO) + 32 and block.startswith(_SHA256_INFO)
    if len(block) != _MD5_SHA1 and not is_info:
        raise Refused(Rc.BLOCK_REFUSED)
    return key.sign(block, padding.PKCS1v15(), utils.NoDigestInfo())


def _key_of(certificate: x509.Certificate) -> bytes:
    try:
        public = certificate.public_key()
    except ValueError:
        raise Refused(Rc.UNREADABLE) from None
    if not isinstance(public, rsa.RSAPublicKey):
        raise Refused(Rc.UNREADABLE)
    return bytes.fromhex(key_digest(public))


def _der_size(data: bytes) -> int:
    """Return the size of the first DER element, a SEQUENCE of less than 64 KiB (X.690 8.1.3)."""
    if len(data) < 4 or data[0] != 0x30:
        raise Refused(Rc.UNREADABLE)
    count = data[1] & 0x7F if data[1] & 0x80 else 0
    if count > 2:
        raise Refused(Rc.UNREADABLE)
    size = int.from_bytes(data[2 : 2 + count]) if count else data[1]
    return 2 + count + size
