"""Carried files, for the commands: their passphrase, their lock, and what is said of them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from usbprov.cli.keeping import passphrase
from usbprov.cli.options import with_options
from usbprov.cli.settings import current
from usbprov.errors import JobBusy

if TYPE_CHECKING:
    from usbprov.offline.files import SealedFile
    from usbprov.offline.package import Package
    from usbprov.phone.contract import PhoneIdentity

F = TypeVar("F", bound=Callable[..., object])

_KIND = "passphrase"

_OPTIONS = (
    click.option(
        "--passphrase-stdin",
        is_flag=True,
        help="Read the passphrase of the file from standard input.",
    ),
    click.option(
        "--passphrase-fd",
        type=click.IntRange(min=0),
        help="Read the passphrase of the file from a file descriptor.",
    ),
)


def passphrase_options(function: F) -> F:
    """Add the options; the command gets ``passphrase_stdin`` and ``passphrase_fd``."""
    return with_options(function, _OPTIONS)


def new_file(path: Path, *, stdin: bool, descriptor: int | None) -> "SealedFile":
    """Ask for the passphrase of a file that is to be made; nothing is written yet.

    Raises:
        UsageError: There is none, or it is too short.
    """
    from usbprov.offline.envelope import Lock
    from usbprov.offline.files import SealedFile

    words = passphrase(_KIND, stdin=stdin, descriptor=descriptor, who=path.name, new=True)
    return SealedFile(path, Lock.new(words))


def opened(path: Path, *, stdin: bool, descriptor: int | None) -> "tuple[SealedFile, Package]":
    """Ask for the passphrase of a file that is there, and open it.

    Raises:
        UsageError: There is no passphrase.
        OfflineError: The file cannot be opened.
    """
    from usbprov.offline.files import open_sealed

    words = passphrase(_KIND, stdin=stdin, descriptor=descriptor, who=path.name, new=False)
    return open_sealed(path, words)


def one_passphrase(who: str, *, stdin: bool, descriptor: int | None) -> Callable[[bool], str]:
    """Return what gives the one passphrase of several files, asking for it when first called.

    It is called with whether the file is new; a new passphrase is typed twice.
    """
    words: list[str] = []

    def give(is_new: bool) -> str:
        if not words:
            words.append(passphrase(_KIND, stdin=stdin, descriptor=descriptor, who=who, new=is_new))
        return words[0]

    return give


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep a second program from the same file within the block.

    Raises:
        JobBusy: One is at it.
    """
    with _held(f"file {path.resolve()}", path.name):
        yield


@contextlib.contextmanager
def locked_phone(identity: "PhoneIdentity", path: Path) -> Iterator[None]:
    """Keep other programs of this computer from a phone's job, as one that is attached is held.

    Raises:
        JobBusy: One is at it.
    """
    with _held(f"phone {identity.serial} {identity.mac}", path.name):
        yield


@contextlib.contextmanager
def _held(key: str, name: str) -> Iterator[None]:
    from usbprov.usb.locks import Held

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(current().reach().locks.hold(key))
        except Held as held:
            raise JobBusy(f"the job in {name}", held.holder) from None
        yield
