"""Where the bench's secrets come from: roster, secrets file, prompt, or one account for all.

None of them goes into the ledger, a log or a repr. A PIN is given out when its job asks for it.
"""

import os
import stat
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from usbprov.bench.roster import Roster, RosterEntry
from usbprov.bench.rosterfile import values
from usbprov.bench.rosterfile.columns import Field, find_columns
from usbprov.bench.rosterfile.findings import Finding, errors_of
from usbprov.bench.rosterfile.reading import LARGEST, read_rows, read_sheet
from usbprov.engine.order import CredentialOrder
from usbprov.errors import RosterUnreadable, SecretMissing, SecretsInvalid, SecretsUnsafe
from usbprov.net.credentials import Way
from usbprov.pki.core_dumps import no_core_files

_OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe must not wait for whoever writes to it: a pipe is refused."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class PinSource(Protocol):
    """Something that may know a user's PIN."""

    def pin_of(self, entry: RosterEntry) -> str | None:
        """Return the user's PIN, or None."""
        ...


@dataclass
class FilePins:
    """The PINs of a secrets file, by extension."""

    path: Path
    _pins: Mapping[str, str] = field(repr=False)

    def read_again(self) -> None:
        """Take what the file has now.

        Raises:
            RosterError: It cannot be used; the PINs stay what they were.
        """
        self._pins = _pins_in(self.path)

    def pin_of(self, entry: RosterEntry) -> str | None:
        """Return the PIN that goes with the user's extension, or None."""
        return self._pins.get(entry.extension)

    def strangers(self, roster: Roster) -> tuple[str, ...]:
        """Return the extensions of the file that nobody on the roster has."""
        known = {entry.extension for entry in roster.entries}
        return tuple(extension for extension in self._pins if extension not in known)


class KeyedPins:
    """PINs that are keyed in while the bench runs, for one job each. Thread-safe."""

    def __init__(self) -> None:
        """Begin without any."""
        self._pins: dict[str, str] = {}
        self._lock = threading.Lock()

    def give(self, entry: RosterEntry, pin: str) -> None:
        """Take a PIN that was keyed in.

        Raises:
            ValueError: It is none; the words do not repeat it.
        """
        checked = values.pin(pin.strip())
        with self._lock:
            self._pins[entry.key] = checked

    def forget(self, entry: RosterEntry) -> None:
        """Forget it: the job is done, or the PIN was refused."""
        with self._lock:
            self._pins.pop(entry.key, None)

    def pin_of(self, entry: RosterEntry) -> str | None:
        """Return what was keyed in for the user, or None."""
        with self._lock:
            return self._pins.get(entry.key)


@dataclass(frozen=True)
class Account:
    """One Windows account that proves all users.

    Attributes:
        order: By which way, and the account's name.
        password: Gives its password; asked once.
    """

    order: CredentialOrder
    password: Callable[[], str] = field(repr=False)


def asked_once(secret: Callable[[], str]) -> Callable[[], str]:
    """Return what asks for a secret when it is first needed, and only then; thread-safe."""
    lock, known = threading.Lock(), list[str]()

    def give() -> str:
        with lock:
            if not known:
                known.append(secret())
            return known[0]

    return give


@dataclass(frozen=True)
class Secrets:
    """All sources of a bench.

    Attributes:
        pins: Who may know a PIN; the first that does counts.
        account: The account that is used in place of PINs, or None.
    """

    pins: Sequence[PinSource] = ()
    account: Account | None = None

    def read_again(self) -> None:
        """Read the secrets file anew: somebody may have corrected a PIN in it.

        Raises:
            RosterError: It cannot be used; the PINs stay what they were.
        """
        for source in self.pins:
            if isinstance(source, FilePins):
                source.read_again()

    def lacks(self, entry: RosterEntry) -> bool:
        """Say whether the user cannot be proved now: a PIN must be keyed in first."""
        return self.account is None and self._pin(entry) is None

    def order(self, entry: RosterEntry) -> CredentialOrder:
        """Say by what the user is proved."""
        if self.account is not None:
            return self.account.order
        return CredentialOrder((Way.PIN,), entry.extension, "the roster has an extension")

    def secret(self, entry: RosterEntry) -> Callable[[], str]:
        """Return what gives the user's secret when the job needs it.

        It raises ``SecretMissing`` when it is called and nobody knows the PIN.
        """
        if self.account is not None:
            return self.account.password
        return lambda: self._known_pin(entry)

    def _known_pin(self, entry: RosterEntry) -> str:
        pin = self._pin(entry)
        if pin is None:
            raise SecretMissing(str(entry))
        return pin

    def _pin(self, entry: RosterEntry) -> str | None:
        if not entry.extension:
            return None
        return next((pin for pin in (source.pin_of(entry) for source in self.pins) if pin), None)


def read_secrets(path: Path) -> FilePins:
    """Read a secrets file: TOML (``[pins]``, ``1001 = "720511"``), or CSV with extension and pin.

    Raises:
        SecretsUnsafe: Others could read or change it, or it is somebody else's.
        SecretsInvalid: Something in it is wrong; all of it is told.
        RosterUnreadable: It cannot be read at all.
    """
    no_core_files()
    return FilePins(path, _pins_in(path))


def _pins_in(path: Path) -> Mapping[str, str]:
    data = _read_own(path)
    read = _from_toml if path.suffix.lower() == ".toml" else _from_table
    pins, findings = read(path, data)
    wrong = errors_of(findings)
    if wrong:
        problems = tuple(map(str, wrong))
        raise SecretsInvalid(str(path), len(wrong), problems[0], problems)
    return pins


def _read_own(path: Path) -> bytes:
    """Read a file, having looked at the rights of the very file that was opened."""
    try:
        with os.fdopen(os.open(path, _OPEN), "rb") as file:
            _check_rights(path, os.fstat(file.fileno()))
            return file.read(LARGEST + 1)
    except OSError as error:
        raise RosterUnreadable(str(path), error.strerror or str(error)) from None


def _check_rights(path: Path, found: os.stat_result) -> None:
    """Refuse a file that is not its reader's alone. Windows has no such bits, and is trusted."""
    if not stat.S_ISREG(found.st_mode):
        raise SecretsUnsafe(str(path), "it is no regular file")
    if not hasattr(os, "geteuid"):
        return
    if found.st_uid != os.geteuid():
        raise SecretsUnsafe(str(path), f"it belongs to another user (uid {found.st_uid})")
    if found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise SecretsUnsafe(str(path), f"its mode is {mode:04o}, and must be 0600")


_Found = tuple[Mapping[str, str], Sequence[Finding]]


def _from_table(path: Path, data: bytes) -> _Found:
    sheet = read_sheet(path, data)
    columns = find_columns(sheet.heads)
    lacking = [kind for kind in (Field.EXTENSION, Field.PIN) if kind not in columns.found]
    if lacking:
        words = " and ".join(f"there is no column {kind}" for kind in lacking)
        return {}, [Finding(sheet.heads.number, "", words)]
    findings: list[Finding] = []
    pins: dict[str, str] = {}
    for row in filter(lambda row: row.is_whole, read_rows(sheet, columns, findings)):
        extension, pin = (row.values.get(kind) for kind in (Field.EXTENSION, Field.PIN))
        if not extension or not pin:
            findings.append(Finding(row.line, "", "it has no extension, or no PIN"))
        elif extension in pins:
            findings.append(Finding(row.line, "", f"extension {extension} is there twice"))
        else:
            pins[extension] = pin
    return pins, findings


def _from_toml(path: Path, data: bytes) -> _Found:
    import tomllib  # noqa: PLC0415 - only where it is used

    try:
        table = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise RosterUnreadable(str(path), "it is no UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        # Not the parser's words: they may repeat a piece of the file.
        place = f" at line {error.lineno}" if hasattr(error, "lineno") else ""
        raise RosterUnreadable(str(path), f"it is no TOML{place}") from None
    findings: list[Finding] = []
    entries = table.get("pins")
    if not isinstance(entries, dict) or set(table) != {"pins"}:
        return {}, [Finding(0, "", "it must have the table [pins] and nothing else")]
    pins: dict[str, str] = {}
    for number, (name, pin) in enumerate(entries.items(), start=1):
        try:
            pins[values.extension(name)] = values.pin(pin if isinstance(pin, str) else "")
        except ValueError:
            words = "it is no extension with a PIN in quotes, 4 to 24 digits"
            findings.append(Finding(0, f"pins, entry {number}", words))
    return pins, findings
