"""``usbprov prepare --roster``: a file for every phone of a roster, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.carrying import locked
from usbprov.cli.failure import ToldError
from usbprov.cli.preparing import Named, begun, prepare_file
from usbprov.cli.progress import SIGNS
from usbprov.cli.provisioning import Manner
from usbprov.cli.text import local
from usbprov.engine.events import Mark
from usbprov.engine.result import Outcome
from usbprov.errors import (
    CredentialRefused,
    PassphraseWrong,
    SomeNotPrepared,
    UsageError,
    UsbprovError,
)

if TYPE_CHECKING:
    from usbprov.bench.roster import Roster, RosterEntry
    from usbprov.bench.secrets import Secrets
    from usbprov.engine.order import Order
    from usbprov.engine.result import Result
    from usbprov.ledger.ledger import Ledger
    from usbprov.offline.envelope import Lock
    from usbprov.offline.files import SealedFile
    from usbprov.offline.package import Package

_MODE = 0o700


@dataclass(frozen=True)
class Row:
    """What came of one user.

    Attributes:
        entry: The user.
        file: The phone's file.
        result: How the job ended, or None where there was none.
        error: What stopped it, or None.
    """

    entry: "RosterEntry"
    file: Path
    result: "Result | None" = None
    error: UsbprovError | None = None

    @property
    def mark(self) -> Mark:
        """How it ended."""
        if self.error is not None:
            return Mark.FAILED
        is_new = self.result is not None and self.result.outcome is Outcome.PREPARED
        return Mark.DONE if is_new else Mark.SKIPPED

    def words(self) -> str:
        """Say it in a line."""
        if self.error is not None:
            return f"{self.entry}: error {self.error.code}: {self.error}"
        certificate = self.result.certificate if self.result else None
        until = f", valid until {local(certificate.not_after)}" if certificate else ""
        before = ", prepared before" if self.mark is Mark.SKIPPED else ""
        return f"{self.file.name}  {self.result.user if self.result else ''}{until}{before}"

    def document(self) -> documents.Document:
        """Describe it for ``--json``."""
        told: documents.Document = {"line": self.entry.line, "file": str(self.file)}
        if self.result is not None:
            return documents.result(self.result) | told
        error = documents.error(self.error) if self.error else None
        return {"outcome": "failed"} | told | {"error": error}


@dataclass(frozen=True)
class Batch:
    """Whose files are made, and how.

    Attributes:
        roster: All users; each has a MAC address.
        secrets: Where their PINs are from, or the account that proves all of them.
        order: What is the same for all.
        folder: Where the files go.
        passphrase: Of all files; asked for once.
        ledger: Where the jobs are.
        manner: How they are run and shown.
    """

    roster: "Roster"
    secrets: "Secrets"
    order: "Order"
    folder: Path
    passphrase: Callable[[bool], str]
    ledger: "Ledger"
    manner: Manner

    def rows(self) -> Iterator[Row]:
        """Prepare one after the other; a user who fails does not stop the others.

        A wrong passphrase is wrong for all files, and an account that is refused once is not sent
        again, since accounts lock: these end it.
        """
        for entry in self.roster.entries:
            row = self._row(entry)
            yield row
            refused = self.secrets.account and isinstance(row.error, CredentialRefused)
            if refused or isinstance(row.error, PassphraseWrong):
                return

    def _row(self, entry: "RosterEntry") -> Row:
        path = self.folder / _file_name(entry)
        order = replace(self.order, user=entry.sip_uri, credential=self.secrets.order(entry))
        try:
            with locked(path):
                blank = Named(mac=entry.mac, serial=entry.serial).blank()
                file = begun(path, blank, self._new, self._old)
                secret = self.secrets.secret(entry)
                manner = replace(self.manner, quiet=True)
                result = prepare_file(order, file, self.ledger, secret, manner)
        except UsbprovError as error:
            return Row(entry, path, error=error)
        return Row(entry, path, result, result.error)

    def _new(self, path: Path) -> "SealedFile":
        from usbprov.offline.files import SealedFile

        return SealedFile(path, _lock_of(self.passphrase(True)))

    def _old(self, path: Path) -> "tuple[SealedFile, Package]":
        from usbprov.offline.files import open_sealed

        return open_sealed(path, self.passphrase(False))


@cache
def _lock_of(passphrase: str) -> "Lock":
    """Derive the lock of all new files once; each writing has a nonce of its own."""
    from usbprov.offline.envelope import Lock

    return Lock.new(passphrase)


def _file_name(entry: "RosterEntry") -> str:
    """Name the file so that the same user and phone have it again: ``1001-0004f2abcdef``."""
    who = entry.extension or (entry.sip_uri or "").removeprefix("sip:").partition("@")[0]
    return f"{who.lstrip('+')}-{(entry.mac or '').replace(':', '')}.usbprov"


def refuse_unbound(roster: "Roster") -> None:
    """Refuse a roster that does not say which phone each user gets.

    Raises:
        UsageError: It does not; the lines are named.
    """
    lines = [str(entry.line) for entry in roster.entries if not entry.mac]
    if lines:
        raise UsageError(f"the roster has no MAC address in line {', '.join(lines)}")
    if not roster.entries:
        raise UsageError("the roster has nobody in it")


def prepare_all(batch: Batch) -> None:
    """Prepare all, with a line each, and say what it came to.

    Raises:
        SomeNotPrepared: Some files were not made.
        UsageError: The folder cannot be made.
    """
    _make_folder(batch.folder)
    manner, rows = batch.manner, []
    for row in batch.rows():
        rows.append(row)
        if not (manner.as_json or (manner.quiet and row.error is None)):
            click.echo(f"{SIGNS[row.mark]} {row.words()}")
    _conclude(batch, rows)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=_MODE, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}") from None


def _conclude(batch: Batch, rows: Sequence[Row]) -> None:
    manner, total = batch.manner, len(batch.roster.entries)
    done = sum(row.error is None for row in rows)
    failure = SomeNotPrepared(total - done, total) if done < total else None
    if manner.as_json:
        documents.show(_document(rows, failure))
    elif not manner.quiet:
        click.echo(f"\n{done} of {total} files are in {batch.folder}")
    if failure is not None:
        raise ToldError(failure) if manner.as_json else failure


def _document(rows: Sequence[Row], failure: UsbprovError | None) -> documents.Document:
    document: documents.Document = {
        "outcome": "failed" if failure else "prepared",
        "files": [row.document() for row in rows],
    }
    return documents.with_error(document, failure)
