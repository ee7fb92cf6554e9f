"""The envelope of a prepared file: a document under a passphrase. Bytes in, bytes out; no I/O.

=======  =====  ==================================================================
offset   bytes  what
=======  =====  ==================================================================
0        7      ``USBPROV``
7        1      version: 1
8        4      length of the whole file, big-endian
12       1      scrypt: log2 N
13       1      scrypt: r
14       1      scrypt: p
15       16     scrypt: salt
31       12     nonce of AES-256-GCM, new for each writing
43       16     check of the passphrase
59       n      ciphertext of the document, and its tag of 16 bytes
59 + n   32     SHA-256 of all before it
=======  =====  ==================================================================

scrypt (RFC 7914) makes 64 bytes of the passphrase (UTF-8, as typed): 32 are the key of
AES-256-GCM (NIST SP 800-38D), 32 that of an HMAC-SHA-256 over the header before the check, of
which the check has the first 16 bytes. The whole header is the additional data of the encryption.

The digest at the end tells damage from a wrong passphrase without any secret; it proves nothing
against somebody who alters the file on purpose, which the tag of the encryption does. Version and
length stand at the same place in all versions, and so does the digest.
"""

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from usbprov.errors import (
    NotPrepared,
    PassphraseWrong,
    PreparedAltered,
    PreparedNewer,
    PreparedTruncated,
)
from usbprov.pki.core_dumps import no_core_dumps
from usbprov.pki.scrypt import Cost, derive

MAGIC = b"USBPROV"
VERSION = 1

MOST_BYTES = 1 << 20
"""Of a file: a key, a few certificates and some facts have a twentieth of that."""

_START = struct.Struct(">7sBI")
_PARAMETERS = struct.Struct(">BBB16s12s")
_HEADER = _START.size + _PARAMETERS.size
_CHECK = 16
_TAG = 16
_DIGEST = 32
_SHELL = _HEADER + _CHECK + _TAG + _DIGEST

COST = Cost(1 << 17, 8, 1)
"""128 MiB a try: no other program need open these files, so nothing limits it to less."""

_LEAST_N = 1 << 12
_MOST_MEMORY = (1 << 28) + (1 << 20)
"""Bytes: those of N = 2^18. A carried file may be a stranger's, so it gets less than a vault's."""


def _is_bearable(cost: Cost) -> bool:
    return cost.is_bearable and cost.n >= _LEAST_N and cost.memory <= _MOST_MEMORY


@dataclass(frozen=True)
class Lock:
    """What a passphrase has become; a file is written again and again under one.

    Attributes:
        salt: 16 random bytes.
        key: Of the encryption; secret.
        check: Of the passphrase's check; secret.
    """

    cost: Cost
    salt: bytes
    key: bytes = field(repr=False)
    check: bytes = field(repr=False)

    @classmethod
    def of(cls, passphrase: str, cost: Cost, salt: bytes) -> "Lock":
        """Derive it; this takes the time and memory that ``cost`` says."""
        no_core_dumps()
        made = derive(passphrase.encode(), salt, cost, 64)
        return cls(cost, salt, made[:32], made[32:])

    @classmethod
    def new(cls, passphrase: str, cost: Cost = COST) -> "Lock":
        """Derive one for a new file."""
        return cls.of(passphrase, cost, secrets.token_bytes(16))


def seal(document: bytes, lock: Lock) -> bytes:
    """Encrypt a document under a lock; each time with a nonce of its own."""
    cost = lock.cost
    nonce = secrets.token_bytes(12)
    whole = _SHELL + len(document)
    header = _START.pack(MAGIC, VERSION, whole) + _PARAMETERS.pack(
        cost.n.bit_length() - 1, cost.r, cost.p, lock.salt, nonce
    )
    header += _check(lock, header)
    body = header + AESGCM(lock.key).encrypt(nonce, document, header)
    return body + hashlib.sha256(body).digest()


def unseal(data: bytes, passphrase: str, name: str) -> tuple[bytes, Lock]:
    """Open a file; returns its document, and the lock under which it may be written again.

    Nothing is derived of the passphrase before size, digest and parameters are found right.

    Args:
        data: The file, whoever may have made it.
        passphrase: As typed.
        name: What the file is called in errors.

    Raises:
        NotPrepared: It is another kind of file, or of a size or cost that none has.
        PreparedTruncated: Its end is missing.
        PreparedAltered: A byte of it is not the one that was written.
        PreparedNewer: It is of a later version.
        PassphraseWrong: It is another passphrase.
    """
    _look_at_outside(data, name)
    log_n, r, p, salt, nonce = _PARAMETERS.unpack_from(data, _START.size)
    cost = Cost(1 << log_n, r, p)
    if not _is_bearable(cost):
        raise NotPrepared(name, f"scrypt with N=2^{log_n}, r={r}, p={p} is out of bounds")
    lock = Lock.of(passphrase, cost, salt)
    header = data[: _HEADER + _CHECK]
    if not hmac.compare_digest(header[_HEADER:], _check(lock, header[:_HEADER])):
        raise PassphraseWrong(name)
    try:
        return AESGCM(lock.key).decrypt(nonce, data[len(header) : -_DIGEST], header), lock
    except InvalidTag:
        raise PreparedAltered(name, "its content is not what was sealed") from None


def _check(lock: Lock, header: bytes) -> bytes:
    return hmac.digest(lock.check, header, "sha256")[:_CHECK]


def _look_at_outside(data: bytes, name: str) -> None:
    """Check everything that can be checked without a secret."""
    if not data.startswith(MAGIC):
        raise NotPrepared(name, "it is no file that `usbprov prepare` has written")
    if len(data) > MOST_BYTES:
        raise NotPrepared(name, f"it is larger than {MOST_BYTES} bytes")
    if len(data) < _START.size:
        raise PreparedTruncated(name, len(data), _SHELL)
    _, version, whole = _START.unpack_from(data)
    if len(data) < whole:
        raise PreparedTruncated(name, len(data), whole)
    if hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise PreparedAltered(name, "its digest does not fit")
    if version > VERSION:
        raise PreparedNewer(name, version)
    if version < VERSION or len(data) != whole or whole < _SHELL:
        raise PreparedAltered(name, "version and length do not fit")
