"""The vault at work: pairs are found, opened, stored, given to a replacement, and destroyed."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from usbprov.errors import (
    AmbiguousPair,
    NoSuchPair,
    PairOfAnotherUser,
    VaultAltered,
    VaultError,
    VaultPassphraseWrong,
    VaultUnusable,
)
from usbprov.pki.keys import from_pkcs8, key_digest, to_pkcs8
from usbprov.pki.scrypt import DEFAULT_COST, Cost
from usbprov.pki.vault import pbes2
from usbprov.pki.vault.container import Stored, compose
from usbprov.pki.vault.entry import Binding, Device, Entry
from usbprov.pki.vault.folder import Folder, Item
from usbprov.pki.vault.keys import SALT_SIZE, Kdf, Passphrase

_LEAST_DIGITS = 8

AsksFor = Callable[[bool], str]
"""Gives the passphrase; the argument says whether it is a new one, to be typed twice."""

Guard = Callable[[Path], AbstractContextManager[object]]
"""Keeps other processes out within a block, by a lock file of this name."""


def _alone(_lock: Path) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass(frozen=True, repr=False)
class Taken:
    """A pair that was taken out of the vault, or put into it.

    Attributes:
        entry: What is known of it.
        pkcs8: The private key, DER; it is kept in memory only.
        replaced: The phone that it was bound to until now, or None.
    """

    entry: Entry
    pkcs8: bytes
    replaced: Device | None = None


class Vault:
    """A folder of key pairs under one passphrase, which is asked for when it is first needed.

    Thread-safe. With a ``guard`` several processes may use one vault.
    """

    def __init__(
        self,
        folder: Path,
        ask: AsksFor,
        *,
        cost: Cost = DEFAULT_COST,
        guard: Guard = _alone,
        accepted: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Name the vault; nothing is read or made yet.

        Args:
            folder: Where its files are.
            ask: Gives the passphrase.
            cost: What a try of the passphrase is to cost, in a vault that is new.
            guard: Keeps other processes out while files are written.
            accepted: Is told the passphrase once it is known to be the vault's.
        """
        self._folder = Folder(folder)
        self._ask = ask
        self._cost = cost
        self._guard = guard
        self._accepted = accepted
        self._lock = threading.RLock()
        self._passphrase: Passphrase | None = None
        self._kdf = Kdf(b"", cost)

    @property
    def path(self) -> Path:
        """The vault's folder."""
        return self._folder.path

    # --- without a passphrase

    def items(self) -> list[Item]:
        """Return every file, with what it tells or why it cannot be read."""
        return self._folder.items()

    def select(self, name: str) -> Item:
        """Return the one file that is meant.

        Args:
            name: The beginning of the pair's digest, its user, or its phone's serial number or
                MAC; or the name of a file, also of one that cannot be read.

        Raises:
            NoSuchPair: There is none.
            AmbiguousPair: There are several.
        """
        found = [item for item in self.items() if _is_meant(item, name)]
        if not found:
            raise NoSuchPair(str(self.path), name)
        if len(found) > 1:
            raise AmbiguousPair(name, tuple(_line(item) for item in found))
        return found[0]

    def destroy(self, item: Item) -> None:
        """Overwrite and remove a file."""
        with self._alone():
            self._folder.destroy(item.path)

    # --- with it

    def unlock(self) -> None:
        """Ask for the passphrase, if that was not done, and see that it is the vault's."""
        self._unlocked(self.items())

    def take(self, user: str, device: Device, replaces: str | None = None) -> Taken | None:
        """Return the pair of this user and phone, or None where none was stored.

        Args:
            user: SIP URI with its scheme.
            device: The phone that is to get it.
            replaces: Serial number or MAC of the phone that this one replaces: its pair is bound
                to this one from now on.

        Raises:
            NoSuchPair: The phone that is replaced has no pair.
            PairOfAnotherUser: It has, but another user's.
            VaultError: A file is damaged and may be the one; or the passphrase is wrong.
        """
        if _readable(self.items()):
            self.unlock()  # nobody else waits while it is typed
        with self._alone():
            items = self.items()
            readable = _readable(items)
            own = (s for s in readable if s.entry.is_of(user) and s.entry.device == device)
            found = _latest(s for s in own if replaces is None or _was_bound(s.entry, replaces))
            if found is not None:
                return Taken(found.entry, self._opened(found, items))
            _raise_damage(items)
            if replaces is None:
                return None
            return self._rebind(self._replaced(readable, user, replaces), device, items)

    def store(self, user: str, device: Device, key: rsa.RSAPrivateKey) -> Taken:
        """Keep a pair; when this returns it is on the disk.

        Args:
            user: SIP URI with its scheme.
            device: The phone that is to get it.
            key: The pair.

        Raises:
            VaultError: It cannot be written or is there already, or the passphrase is not the
                vault's.
        """
        pkcs8 = to_pkcs8(key)
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        passphrase = self._unlocked(self.items())
        now = datetime.now(UTC)
        bindings = (Binding(device, now),)
        entry = Entry(user, spki, now, bindings, self._kdf, os.urandom(pbes2.BLOCK))
        with self._alone():
            if self._folder.file_of(entry).exists():
                raise VaultUnusable(str(self.path), "this key pair is stored already")
            self._encrypt(entry, pkcs8, passphrase)
        return Taken(entry, pkcs8)

    def export(self, item: Item, passphrase: str) -> str:
        """Return a pair's private key as PEM, PKCS#8 encrypted under another passphrase."""
        stored = _whole(item)
        pkcs8 = self._opened(stored, self.items())
        kdf, iv = Kdf(os.urandom(SALT_SIZE), self._cost), os.urandom(pbes2.BLOCK)
        key = Passphrase(passphrase).keys(kdf).encryption
        return pbes2.to_pem(pbes2.encrypt(pkcs8, key, kdf, iv))

    def change_passphrase(self, new: str) -> int:
        """Encrypt every pair anew; returns how many were. A repeat goes on where it was stopped.

        Nothing is written before every file was opened, by the old passphrase or the new one.

        Raises:
            VaultError: A file is damaged, or is opened by neither.
        """
        fresh = Passphrase(new)
        if left := _not_under(fresh, self.items()):
            self._unlocked(left)
        with self._alone():
            items = self.items()
            left = _not_under(fresh, items)
            done = [item for item in items if item not in left]
            kdf = _whole(done[0]).entry.kdf if done else Kdf(os.urandom(SALT_SIZE), self._cost)
            pairs = [(stored.entry, self._opened(stored, left)) for stored in map(_whole, left)]
            for entry, pkcs8 in pairs:
                renewed = replace(entry, kdf=kdf, iv=os.urandom(pbes2.BLOCK))
                self._encrypt(renewed, pkcs8, fresh)
            self._passphrase, self._kdf = fresh, kdf
        return len(left)

    # --- how

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            self._folder.make()
            with self._guard(self.path / ".lock"):
                self._folder.tidy()
                yield

    def _unlocked(self, items: Iterable[Item]) -> Passphrase:
        with self._lock:
            if self._passphrase is None:
                newest = max(_readable(items), key=lambda stored: stored.entry.made, default=None)
                words = self._ask(newest is None)
                passphrase = Passphrase(words)
                if newest is not None:
                    newest.verify(passphrase.keys(newest.entry.kdf))
                self._kdf = newest.entry.kdf if newest else Kdf(os.urandom(SALT_SIZE), self._cost)
                self._accepted(words)
                self._passphrase = passphrase
            return self._passphrase

    def _opened(self, stored: Stored, items: Iterable[Item]) -> bytes:
        """Open a file; also see that the key is the one that it tells of."""
        pkcs8 = stored.open(self._unlocked(items).keys(stored.entry.kdf))
        if key_digest(from_pkcs8(pkcs8, authentic=True).public_key()) != stored.entry.sha256:
            raise VaultAltered(stored.name, "its key is another one than it says")
        return pkcs8

    def _encrypt(self, entry: Entry, pkcs8: bytes, passphrase: Passphrase) -> None:
        keys = passphrase.keys(entry.kdf)
        private = pbes2.encrypt(pkcs8, keys.encryption, entry.kdf, entry.iv)
        self._folder.write(self._folder.file_of(entry), compose(entry, private, keys))

    def _replaced(self, readable: Iterable[Stored], user: str, replaces: str) -> Stored:
        named = [s for s in readable if s.entry.device.is_named(replaces)]
        found = _latest(s for s in named if s.entry.is_of(user))
        if found is not None:
            return found
        if named:
            raise PairOfAnotherUser(user, replaces, named[0].entry.user)
        raise NoSuchPair(str(self.path), f"{user} and the phone {replaces}")

    def _rebind(self, stored: Stored, device: Device, items: Iterable[Item]) -> Taken:
        pkcs8 = self._opened(stored, items)
        entry = stored.entry.bound_to(device, datetime.now(UTC))
        keys = self._unlocked(items).keys(entry.kdf)
        self._folder.write(self._folder.file_of(entry), compose(entry, stored.private, keys))
        return Taken(entry, pkcs8, stored.entry.device)


def _readable(items: Iterable[Item]) -> list[Stored]:
    return [item.stored for item in items if item.stored is not None]


def _latest(found: Iterable[Stored]) -> Stored | None:
    return max(found, key=lambda stored: stored.entry.bound, default=None)


def _was_bound(entry: Entry, device: str) -> bool:
    return any(bound.device.is_named(device) for bound in entry.bindings)


def _raise_damage(items: Iterable[Item]) -> None:
    """A file that cannot be read may hold the very pair: it must not be taken for none."""
    for item in items:
        if item.error is not None:
            raise item.error


def _whole(item: Item) -> Stored:
    if item.stored is None:
        raise item.error or VaultError()
    return item.stored


def _not_under(passphrase: Passphrase, items: Sequence[Item]) -> list[Item]:
    """Return the files that a passphrase does not open; raises if one is damaged."""
    return [item for item in items if not _opens(_whole(item), passphrase)]


def _opens(stored: Stored, passphrase: Passphrase) -> bool:
    try:
        stored.verify(passphrase.keys(stored.entry.kdf))
    except VaultPassphraseWrong:
        return False
    return True


def _is_meant(item: Item, name: str) -> bool:
    if name in {item.path.name, item.path.stem}:
        return True
    if item.stored is None:
        return False
    entry = item.stored.entry
    digest = len(name) >= _LEAST_DIGITS and entry.sha256.startswith(name.lower())
    return digest or _is_user(entry, name) or entry.device.is_named(name)


def _is_user(entry: Entry, name: str) -> bool:
    return entry.is_of(name) or entry.is_of(f"sip:{name}")


def _line(item: Item) -> str:
    entry = _whole(item).entry
    return f"{entry.sha256[:16]}… of {entry.user}, {entry.device}"
