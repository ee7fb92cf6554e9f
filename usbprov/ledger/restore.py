"""Putting a backup in a ledger's place; what was there is kept beside it."""

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, select

from usbprov.errors import LedgerError, LedgerNotEmpty, LedgerUnconfirmed
from usbprov.files import flush, flush_folder, second_name
from usbprov.ledger import copying
from usbprov.ledger.backup import Backup, describe
from usbprov.ledger.chain import CHAIN, Write
from usbprov.ledger.copying import Told, silent
from usbprov.ledger.database import Database
from usbprov.ledger.lineage import common, last_of
from usbprov.ledger.rows import copy_rows
from usbprov.ledger.schema import heads
from usbprov.ledger.solitude import alone_with
from usbprov.ledger.sqlite_errors import meaning
from usbprov.ledger.verify import verify

_LOGS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Exchange:
    """What a restoration does.

    Attributes:
        backup: What is put in place.
        present: How many entries the ledger that is there has; None where it cannot be read.
        set_aside: How many of them the backup does not have; None where nobody can tell.
    """

    backup: Backup
    present: int | None
    set_aside: int | None

    @property
    def takes_away(self) -> bool:
        """Whether something is taken away, or may be."""
        return self.set_aside != 0


@dataclass(frozen=True)
class Restored(Exchange):
    """What was done; ``kept`` is the ledger that was there before, or None where none was."""

    kept: Path | None


May = Callable[[Exchange], bool]
"""Is asked before something is taken away."""


def restore_file(place: Path, backup: Path, may: May, told: Told = silent) -> Restored:
    """Put a verified copy of a backup in a ledger's place.

    At any moment either the one or the other is there, whole. Nobody can use the ledger
    meanwhile. The backup itself is only read; if it is of an older schema, its copy is brought
    forward.

    Args:
        place: Where the ledger is, or is to be.
        backup: A file that `ledger backup` made, or any other ledger's file.
        may: Is asked when the ledger that is there has entries that the backup has not.
        told: Is told how far it is.

    Raises:
        LedgerBusy: Another process uses the ledger.
        LedgerTooNew: The backup is of a newer version.
        LedgerAltered: The backup is not what was written to it.
        LedgerUnconfirmed: ``may`` said no.
        LedgerError: One of both cannot be read or written.
    """
    place = place.resolve()  # what a link leads to, not the link
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    place.touch(mode=copying.OWN, exist_ok=True)  # so that there is something to lock
    try:
        with alone_with(place) as present:
            return _exchange(place, backup, present, may, told)
    except OSError as error:
        raise meaning(place, error) from None


def _exchange(
    place: Path, backup: Path, present: sqlite3.Connection | None, may: May, told: Told
) -> Restored:
    ready = place.with_name(f".{place.name}.restoring")
    _remove(ready)  # of a restoration that was killed
    try:
        found = _prepare(backup, ready, told)
        exchange = _compare(found, ready, present)
        if exchange.takes_away and not may(exchange):
            raise LedgerUnconfirmed(str(place), _words(exchange))
        flush(ready)
        kept = _swap(place, ready, present, is_empty=exchange.present == 0)
    finally:
        _remove(ready)
    return Restored(**vars(exchange), kept=kept)


def _prepare(backup: Path, ready: Path, told: Told) -> Backup:
    """Copy the backup, bring the copy forward and verify it."""
    ready.touch(mode=copying.OWN)
    copying.copy_pages(backup, ready, told, still=not _has_log(backup))
    copying.check_whole(ready, str(backup))
    database = Database(ready)
    try:
        verify(database)
    except LedgerError as error:
        raise _named(error, backup) from None
    finally:
        database.close()
    return describe(ready, backup)


def _named(error: LedgerError, backup: Path) -> LedgerError:
    """Return the error with the name by which the user knows the file."""
    if "path" in vars(error):
        vars(error)["path"] = str(backup)
    return error


def _compare(found: Backup, ready: Path, present: sqlite3.Connection | None) -> Exchange:
    """Say what is in the ledger that is there and not in the backup."""
    try:
        entries = last_of(present)
        if present is None or not entries:
            return Exchange(found, entries, entries)
        with closing(copying.open_reader(ready, still=True)) as reader:
            return Exchange(found, entries, entries - common(present, reader))
    except sqlite3.Error:
        return Exchange(found, None, None)


def _words(exchange: Exchange) -> str:
    if exchange.set_aside is None:
        return "it cannot be read, so nobody can say what the backup lacks"
    return f"{exchange.set_aside} of its {exchange.present} entries are not in the backup"


def _swap(
    place: Path, ready: Path, present: sqlite3.Connection | None, *, is_empty: bool
) -> Path | None:
    """Give the ready file the name of the ledger, and that one, unless it is empty, another."""
    if os.name == "nt" and present is not None:
        present.close()  # there a file that is open cannot be renamed
    if is_empty:
        ready.replace(place)
        flush_folder(place.parent)
        return None
    kept = _free_name(place)
    second_name(place, kept)
    if present is None:  # the log of a damaged file must not be taken for the new one's
        for log in filter(Path.exists, _logs(place)):
            log.rename(log.with_name(log.name.replace(place.name, kept.name, 1)))
    ready.replace(place)
    flush_folder(place.parent)
    return kept


def _free_name(place: Path) -> Path:
    """Return a name for what was there: with the date and the time, UTC."""
    name = f"{place.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    kept, number = place.with_name(name), 1
    while os.path.lexists(kept):
        number += 1
        kept = place.with_name(f"{name}-{number}")
    return kept


def _logs(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}{ending}") for ending in _LOGS]


def _has_log(path: Path) -> bool:
    return any(log.exists() for log in _logs(path))


def _remove(ready: Path) -> None:
    """Remove what a restoration has made, also one of an older schema that was brought forward."""
    earlier = ready.parent.glob(f"{ready.name}.before-schema-*")
    for path in (ready, *_logs(ready), *earlier):
        path.unlink(missing_ok=True)


# --- on a server


def restore_on_server(database: Database, backup: Path, told: Told = silent) -> Restored:
    """Put a verified copy of a backup into a database that has no entries yet.

    Raises:
        LedgerNotEmpty: It has some.
        LedgerError: As of ``usbprov/errors/ledger.py``.
    """
    with tempfile.TemporaryDirectory(prefix="usbprov-") as folder:
        ready = Path(folder) / "ledger.sqlite3"
        found = _prepare(backup, ready, told)
        source = Database(ready)
        try:
            source.snapshot(
                lambda rows: database.write(
                    "", lambda write: _put(rows, write, database.backend.name, told)
                )
            )
        finally:
            source.close()
    return Restored(found, present=0, set_aside=0, kept=None)


def _put(rows: Connection, write: Write, name: str, told: Told) -> None:
    """Take over all rows, unless there are some; after a lost connection they may be there."""
    mine, theirs = (_head(connection) for connection in (write.connection, rows))
    if mine[0] and mine != theirs:
        raise LedgerNotEmpty(name, mine[0])
    if mine != theirs:
        copy_rows(rows, write.connection, told)


def _head(connection: Connection) -> tuple[int, str]:
    query = select(heads.c.number, heads.c.hash).filter_by(name=CHAIN)
    number, digest = connection.execute(query).one()
    return number, digest
