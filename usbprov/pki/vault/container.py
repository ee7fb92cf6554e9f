"""The bytes of a file of the vault: what they say, and whether they are what was written.

::

    usbprov vault 1 00003120                  the version, and the size of the whole file in bytes
    {"bindings":[…],…}                        the description, one line of JSON
    -----BEGIN ENCRYPTED PRIVATE KEY-----     PKCS#8 with PBES2
    …
    -----END ENCRYPTED PRIVATE KEY-----
    check 5f…                                 tells a wrong passphrase
    mac 91…                                   HMAC over all before it, by a key of the passphrase
    sha256 c0…                                digest of all before it

First and last line are the same in every version. Reading is done without a passphrase: the digest
tells damage. ``verify`` needs one, and tells what was altered on purpose.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

from usbprov.errors import (
    VaultAltered,
    VaultCostRefused,
    VaultPassphraseWrong,
    VaultTooNew,
    VaultTruncated,
)
from usbprov.pki.vault import pbes2
from usbprov.pki.vault.entry import Entry, from_json, to_json
from usbprov.pki.vault.keys import Keys

VERSION = 1
MOST_BYTES = 1 << 20
"""No file of the vault comes near; more is not read."""

_FIRST = re.compile(rb"usbprov vault ([1-9][0-9]{0,5}) ([0-9]{8})\n")
_LAST = re.compile(rb"sha256 ([0-9a-f]{64})\n\Z")
_BODY = re.compile(
    rb"(?P<told>(?P<described>[^\n]+)\n(?P<pem>-----BEGIN.*-----\n)check (?P<check>[0-9a-f]{32})\n)"
    rb"mac (?P<mac>[0-9a-f]{64})\n",
    re.DOTALL,
)
_LAST_SIZE = len("sha256 ") + 64 + 1


@dataclass(frozen=True)
class Stored:
    """A file as it was read.

    Attributes:
        name: How the file is called in messages.
        entry: What it says of the pair.
        private: ``EncryptedPrivateKeyInfo``, DER.
        told: All that the MAC covers.
        check: Tells a wrong passphrase.
        mac: Over ``told``.
    """

    name: str
    entry: Entry
    private: bytes
    told: bytes
    check: bytes
    mac: bytes

    def verify(self, keys: Keys) -> None:
        """See that the passphrase is right, and that nothing was altered by who has it not.

        Raises:
            VaultPassphraseWrong: It is another one's.
            VaultAltered: Something was altered on purpose: the digest is right.
        """
        if not hmac.compare_digest(self.check, keys.check):
            raise VaultPassphraseWrong(self.name)
        if not hmac.compare_digest(self.mac, keys.mac_of(self.told)):
            raise VaultAltered(self.name, "its MAC is not of what it says")

    def open(self, keys: Keys) -> bytes:
        """Return the private key, PKCS#8 DER; raises as ``verify``."""
        self.verify(keys)
        try:
            return pbes2.decrypt(self.private, keys.encryption, self.entry.kdf, self.entry.iv)
        except ValueError as error:
            raise VaultAltered(self.name, str(error)) from None


def compose(entry: Entry, private: bytes, keys: Keys) -> bytes:
    """Write a file: the description, and the encrypted key that goes with it (DER)."""
    described = f"{to_json(entry)}\n{pbes2.to_pem(private)}check {keys.check.hex()}\n".encode()
    size = len(_first(0)) + len(described) + len("mac ") + 64 + 1 + _LAST_SIZE
    told = _first(size) + described
    whole = told + f"mac {keys.mac_of(told).hex()}\n".encode()
    return whole + f"sha256 {hashlib.sha256(whole).hexdigest()}\n".encode()


def _first(size: int) -> bytes:
    return f"usbprov vault {VERSION} {size:08d}\n".encode()


def read(data: bytes, name: str) -> Stored:
    """Read a file.

    Args:
        data: All of its bytes.
        name: How it is called in messages.

    Raises:
        VaultTruncated: It ends too early.
        VaultAltered: It is not what was written.
        VaultTooNew: A newer version wrote it.
        VaultCostRefused: Opening it would cost more than it may.
    """
    first = _first_of(data, name)
    if int(first[1]) != VERSION:
        raise VaultTooNew(name, int(first[1]), VERSION)
    body = _BODY.fullmatch(data, first.end(), len(data) - _LAST_SIZE)
    try:
        if body is None:
            raise ValueError("it is not of the form of such a file")
        entry = from_json(body["described"].decode("ascii"))
        private = pbes2.from_pem(body["pem"].decode("ascii"))
    except ValueError as error:
        raise VaultAltered(name, str(error)) from None
    if not entry.kdf.cost.is_bearable:
        raise VaultCostRefused(name, str(entry.kdf.cost))
    check, mac = (bytes.fromhex(body[part].decode()) for part in ("check", "mac"))
    return Stored(name, entry, private, first[0] + body["told"], check, mac)


def _first_of(data: bytes, name: str) -> re.Match[bytes]:
    """Return the first line of a file that is whole.

    A file that was cut has lost its last line, which stands nowhere else. One whose last line only
    is damaged has the size that the first one says.
    """
    first, last = _FIRST.match(data), _LAST.search(data)
    if last is None:
        whole = first is not None and len(data) >= int(first[2])
        if whole or (first is None and not _is_beginning(data)):
            raise VaultAltered(name, "it does not end, or begin, as such a file does")
        raise VaultTruncated(name, len(data))
    if hashlib.sha256(data[: last.start()]).hexdigest().encode() != last[1]:
        raise VaultAltered(name, "its digest is not of what it says")
    if first is None or len(data) != int(first[2]):
        raise VaultAltered(name, "it does not begin as such a file does")
    return first


def _is_beginning(data: bytes) -> bool:
    """Say whether it is the beginning of a first line."""
    shortest = _first(0)
    return len(data) < len(shortest) and shortest[: len(data)].translate(_NO_DIGITS) == (
        data.translate(_NO_DIGITS)
    )


_NO_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
