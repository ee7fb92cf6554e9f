"""Errors of the key vault, of the system's keyring, and of keys sealed against a crash."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class VaultError(UsbprovError):
    """Raised when a stored key pair, or what protects it, cannot be used."""


@dataclass(eq=False)
class VaultUnusable(VaultError):
    """Raised when the vault's folder, or a file in it, cannot be read or written."""

    path: str
    reason: str
    code: ClassVar = "VLT-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the vault {path} cannot be used: {reason}"
    cause: ClassVar = "The folder belongs to somebody else, or the disk is full or read-only."
    remedy: ClassVar = "Correct that, or name another folder with --vault. No key is given to a phone that could not be stored."


@dataclass(eq=False)
class VaultTruncated(VaultError):
    """Raised when a file of the vault ends too early; it is left as it is."""

    path: str
    size: int
    code: ClassVar = "VLT-02"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "{path} is cut off after {size} bytes"
    cause: ClassVar = "It was copied incompletely, or the disk was full where it was copied."
    remedy: ClassVar = (
        "Put the copy of a backup in its place, or move the file out of the vault's folder."
    )


@dataclass(eq=False)
class VaultAltered(VaultError):
    """Raised when a file of the vault is not what was written; it is left as it is."""

    path: str
    found: str
    code: ClassVar = "VLT-03"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "{path} was altered: {found}"
    cause: ClassVar = "The disk or a copy is damaged, or somebody changed the file."
    remedy: ClassVar = "Put the copy of a backup in its place. If somebody may have changed it, do not use its key: destroy it, and give the phone a new one."


@dataclass(eq=False)
class VaultTooNew(VaultError):
    """Raised when a file of the vault was written by a newer usbprov; it is not touched."""

    path: str
    found: int
    known: int
    code: ClassVar = "VLT-04"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{path} has version {found}, this usbprov knows {known}"
    cause: ClassVar = "A newer usbprov has used this vault."
    remedy: ClassVar = "Use that version, or another vault with --vault."


@dataclass(eq=False)
class VaultCostRefused(VaultError):
    """Raised when opening a file of the vault would take far more memory or time than it may."""

    path: str
    wanted: str
    code: ClassVar = "VLT-05"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "{path} is not opened: its scrypt parameters are {wanted}"
    cause: ClassVar = "Somebody made the file to exhaust this computer's memory, or another program with other limits."
    remedy: ClassVar = "Move the file out of the vault's folder; docs/vault.md has the limits."


@dataclass(eq=False)
class VaultPassphraseWrong(VaultError):
    """Raised when a passphrase does not open a file of the vault; nothing was changed."""

    path: str
    code: ClassVar = "VLT-06"
    exit_code: ClassVar = ExitCode.CREDENTIAL
    template: ClassVar = "the passphrase does not open {path}"
    cause: ClassVar = "It is mistyped, is another vault's, or was changed by `usbprov vault passphrase` and that was interrupted."
    remedy: ClassVar = "Repeat with the right one; after an interrupted change repeat `usbprov vault passphrase`. A passphrase that is lost cannot be had back."


@dataclass(eq=False)
class NoSuchPair(VaultError):
    """Raised when the vault has no key pair for the user, device or digest that was named."""

    vault: str
    wanted: str
    code: ClassVar = "VLT-07"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the vault {vault} has no key pair for {wanted}"
    cause: ClassVar = "The name is mistyped, the pair is in another vault, or was never stored."
    remedy: ClassVar = "`usbprov vault list` shows the pairs that there are."


@dataclass(eq=False)
class AmbiguousPair(VaultError):
    """Raised when several key pairs of the vault are meant."""

    wanted: str
    pairs: tuple[str, ...]
    code: ClassVar = "VLT-08"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "several key pairs are meant by {wanted}"
    cause: ClassVar = "The user has several phones, or the digest is too short."
    remedy: ClassVar = "Name one by its digest, as `usbprov vault list` shows it."


@dataclass(eq=False)
class PairOfAnotherUser(VaultError):
    """Raised when the phone that is to be replaced has a stored key pair, but of another user."""

    user: str
    device: str
    owner: str
    code: ClassVar = "VLT-09"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the key pair of {device} belongs to {owner}, not to {user}"
    cause: ClassVar = "Another phone or another user was meant. A key is never given to another user: who held it could sign in as both."
    remedy: ClassVar = (
        "Name the phone that this user had, or leave --replaces out: then a new key pair is made."
    )


@dataclass(eq=False)
class KeyringMissing(VaultError):
    """Raised when the system's keyring is asked for and the `keyring` extra is not installed."""

    library: str
    code: ClassVar = "VLT-10"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the system's keyring needs the Python package {library}"
    cause: ClassVar = "usbprov was installed without its keyring extra."
    remedy: ClassVar = "Install usbprov[keyring], or do without the keyring."


@dataclass(eq=False)
class KeyringUnusable(VaultError):
    """Raised when the system's keyring is locked, is not there, or does not do what is asked."""

    reason: str
    code: ClassVar = "VLT-11"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the system's keyring cannot be used: {reason}"
    cause: ClassVar = (
        "Nobody is signed in at this computer's desktop, the keyring is locked, or there is none."
    )
    remedy: ClassVar = "Unlock it, or do without: a prompt or file descriptor for the passphrase, a file for the sealing key."


@dataclass(eq=False)
class SealingKeyUnusable(VaultError):
    """Raised when the key that seals host-made keys cannot be kept, or others could read it."""

    path: str
    reason: str
    code: ClassVar = "VLT-12"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the sealing key {path} cannot be used: {reason}"
    cause: ClassVar = (
        "The disk is full or read-only, the file is damaged, or its rights or owner were changed."
    )
    remedy: ClassVar = "Make the file yours alone (chmod 600), or remove it: then a new one is made, and keys that wait under the old one are made anew."


@dataclass(eq=False)
class VaultNotGiven(VaultError):
    """Raised when a job goes on that was begun with a key of the vault, and no vault is open."""

    user: str
    code: ClassVar = "VLT-13"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the job of {user} was begun with a key of the vault, which is not open"
    cause: ClassVar = "It was begun with --key vault, and the command that goes on with it has none, or cannot ask for the passphrase."
    remedy: ClassVar = "Repeat it with `usbprov provision --key vault`."
