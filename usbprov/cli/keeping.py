"""The options by which a command is told how keys that this computer makes are kept."""

import contextlib
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from usbprov.cli.options import with_options
from usbprov.cli.secret import new_secret, secret_source
from usbprov.errors import UsageError

if TYPE_CHECKING:
    from usbprov.engine.sealing import SealingKeys
    from usbprov.pki.vault.vault import Vault

F = TypeVar("F", bound=Callable[..., object])

_KIND = "vault passphrase"
_SERVICE = "usbprov vault"
_LEAST = 8
"""Characters of a new passphrase; docs/vault.md says what is needed against whom."""

_PATIENCE = 10.0
_AGAIN = 0.02


def vault_dir_option(function: F) -> F:
    """Add ``--vault``, the vault's folder."""
    return click.option(
        "--vault",
        "vault_dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="The vault's folder; by default vault in the user's state folder.",
    )(function)


def passphrase_options(function: F) -> F:
    """Add the ways in which the vault's passphrase comes; without one it is asked for."""
    return with_options(function, _PASSPHRASE)


_PASSPHRASE: tuple[Callable[[F], F], ...] = (
    click.option(
        "--vault-passphrase-stdin",
        is_flag=True,
        help="Read the vault's passphrase from the first line of standard input.",
    ),
    click.option(
        "--vault-passphrase-fd",
        type=click.IntRange(min=0),
        metavar="N",
        help="Read the vault's passphrase from file descriptor N.",
    ),
    click.option(
        "--vault-keyring",
        is_flag=True,
        help="Have the system's keyring remember the vault's passphrase (extra: keyring).",
    ),
)


def keeping_options(function: F) -> F:
    """Add all of them; the command gets them as ``**given``, for ``Keeping.taken_from``."""
    return with_options(function, (vault_dir_option, passphrase_options, sealing_option))


sealing_option = click.option(
    "--sealing-keyring",
    is_flag=True,
    help="Keep the key that seals host-made keys against a crash in the system's keyring, not in"
    " a file.",
)


@dataclass(frozen=True)
class Keeping:
    """What was given of them; no passphrase is among it."""

    vault_dir: Path | None = None
    vault_passphrase_stdin: bool = False
    vault_passphrase_fd: int | None = None
    vault_keyring: bool = False
    sealing_keyring: bool = False

    @classmethod
    def taken_from(cls, given: MutableMapping[str, Any]) -> "Keeping":
        """Take them out of all that a command was given; they are not left there.

        Raises:
            UsageError: Standard input is to give two secrets.
        """
        taken = {f.name: given.pop(f.name) for f in fields(cls) if f.name in given}
        others = [name for name in given if name.endswith("_stdin") and given[name]]
        if taken.get("vault_passphrase_stdin") and others:
            other = "--" + others[0].replace("_", "-")
            raise UsageError(f"--vault-passphrase-stdin and {other} do not go together")
        return cls(**taken)

    @property
    def folder(self) -> Path:
        """Where the vault is."""
        return self.vault_dir or default_vault()

    def vault(self, pause: Callable[[], None] = lambda: None) -> "Vault":
        """Name the vault; its passphrase is asked for when it is first needed.

        Args:
            pause: Called before the terminal is used to ask for it.
        """
        from usbprov.pki import scrypt
        from usbprov.pki.vault.vault import Vault

        ask, cost = _Asking(self, pause), scrypt.DEFAULT_COST
        return Vault(self.folder, ask, cost=cost, guard=_exclusive, accepted=ask.keep)

    @property
    def sealing(self) -> "SealingKeys | None":
        """What gives the key that seals host-made keys, if it is not the file beside the ledger."""
        from usbprov.engine.sealing import keyring_key

        return keyring_key if self.sealing_keyring else None


def default_vault() -> Path:
    """Return the vault's folder where none is named: in the user's state folder (XDG)."""
    import platformdirs

    return platformdirs.user_state_path("usbprov") / "vault"


class _Asking:
    """Gives the passphrase of a vault, from the keyring if that has it."""

    def __init__(self, options: Keeping, pause: Callable[[], None]) -> None:
        self._options = options
        self._pause = pause
        self._remembered: str | None = None

    def __call__(self, new: bool) -> str:
        options = self._options
        if options.vault_keyring:
            from usbprov.pki import keyrings

            self._remembered = keyrings.read(_SERVICE, self._name)
            if self._remembered is not None:
                return self._remembered
        self._pause()
        return passphrase(
            _KIND,
            stdin=options.vault_passphrase_stdin,
            descriptor=options.vault_passphrase_fd,
            who=str(options.folder),
            new=new,
        )

    def keep(self, words: str) -> None:
        """Have the keyring remember a passphrase that has opened the vault, where that is asked."""
        if self._options.vault_keyring and words != self._remembered:
            from usbprov.pki import keyrings

            keyrings.write(_SERVICE, self._name, words)

    @property
    def _name(self) -> str:
        return str(self._options.folder.absolute())


def passphrase(kind: str, *, stdin: bool, descriptor: int | None, who: str, new: bool) -> str:
    """Ask for a passphrase; for a new one twice, where it is typed.

    Args:
        kind: As in the options' names: ``vault passphrase``.
        stdin: Whether it is the first line of standard input.
        descriptor: The file descriptor whose first line it is, or None.
        who: What it is of, for the prompt.
        new: Whether it is chosen now.

    Raises:
        UsageError: There is none to be had, or a new one is too short or typed differently.
    """
    if not new:
        return secret_source(kind, stdin=stdin, descriptor=descriptor, who=who)()
    words = new_secret(kind, stdin=stdin, descriptor=descriptor, who=who)
    if len(words) < _LEAST:
        raise UsageError(f"a {kind} has {_LEAST} characters at least")
    return words


@contextlib.contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    """Keep other processes out of a vault while its files are written."""
    from usbprov.errors import VaultUnusable
    from usbprov.usb.locks import FileLock

    held, deadline = FileLock(lock), time.monotonic() + _PATIENCE
    while not held.acquire():
        if time.monotonic() > deadline:
            raise VaultUnusable(str(lock.parent), "another program is writing there")
        time.sleep(_AGAIN)
    try:
        yield
    finally:
        held.release()
