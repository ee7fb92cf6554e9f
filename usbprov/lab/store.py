"""The user store of a home pool: published certificates and PIN lock-out, in SQLite.

A certificate is published by (user, device): a new one for the same device replaces the old
one, and a Registrar of the pool verifies by looking it up ([MS-OCAUTHWS] 3.1.4.1).
"""

import contextlib
import hmac
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from usbprov.errors import LabUnusable
from usbprov.lab.files import private_folder, write_atomic
from usbprov.lab.layout import Layout
from usbprov.lab.users import LabUser

_SUFFIX = ".sqlite"
_MOVED = "moved.json"
_BUSY_SECONDS = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS certificate (
    sip_uri TEXT NOT NULL, device_id TEXT NOT NULL, der BLOB NOT NULL, sha256 TEXT NOT NULL,
    serial TEXT NOT NULL, not_before TEXT NOT NULL, not_after TEXT NOT NULL,
    PRIMARY KEY (sip_uri, device_id)) STRICT;
CREATE TABLE IF NOT EXISTS pin_failure (
    sip_uri TEXT PRIMARY KEY, failures INTEGER NOT NULL) STRICT;
"""
_COLUMNS = "sip_uri, device_id, sha256, serial, not_before, not_after"


class PinOutcome(Enum):
    """How a try with a PIN ended."""

    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"


@dataclass(frozen=True)
class Publication:
    """A certificate that is published for a user's device.

    Attributes:
        sip_uri: The user.
        device_id: The phone's instance UUID, lower case, without braces.
        sha256: Digest of the whole certificate (DER), lower-case hex.
        serial: Its serial number, lower-case hex.
        not_before: Begin of its validity, ISO 8601 in UTC.
        not_after: End of its validity, ISO 8601 in UTC.
        pool: The home pool that stores it.
    """

    sip_uri: str
    device_id: str
    sha256: str
    serial: str
    not_before: str
    not_after: str
    pool: str

    def row(self) -> dict[str, str]:
        """Return the fields by name, for ``--json``."""
        return asdict(self)


@dataclass(frozen=True)
class NewCertificate:
    """A certificate to publish: its DER bytes and the facts of it that are listed."""

    der: bytes
    sha256: str
    serial: str
    not_before: datetime
    not_after: datetime


class PoolStore:
    """The store of one home pool; safe to use from any thread, and from other processes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def pool(self) -> str:
        """The pool's FQDN."""
        return self._path.name.removesuffix(_SUFFIX)

    @property
    def uri(self) -> str:
        """The file, as SQLite opens it; it is not made if it is not there."""
        return self._path.absolute().as_uri() + "?mode=rw"

    def create(self) -> None:
        """Make the file (0600) and its tables where they are not there yet."""
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            with self._connected() as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise LabUnusable(f"the user store {self._path}: {error}") from None

    def publish(
        self, user: LabUser, device_id: str, certificate: NewCertificate, most: int = 0
    ) -> None:
        """Publish a certificate, in place of what was published for the same user and device.

        Args:
            user: Whose it is.
            device_id: The phone's instance UUID, lower case, without braces.
            certificate: What is published.
            most: How many the user may have: the oldest of others make room; 0 for no bound.

        Raises:
            sqlite3.Error: The store cannot be reached; nothing is changed.
        """
        row = (
            user.sip_uri,
            device_id,
            certificate.sha256,
            certificate.serial,
            _utc(certificate.not_before),
            _utc(certificate.not_after),
            certificate.der,
        )
        with self._transaction() as db:
            db.execute(
                f"INSERT OR REPLACE INTO certificate ({_COLUMNS}, der) "  # noqa: S608 - constant
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            if most:
                db.execute(
                    "DELETE FROM certificate WHERE sip_uri = ?1 AND rowid NOT IN (SELECT rowid "
                    "FROM certificate WHERE sip_uri = ?1 ORDER BY rowid DESC LIMIT ?2)",
                    (user.sip_uri, most),
                )

    def publications(self) -> list[Publication]:
        """Return what is published, by user and device."""
        with self._connected() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM certificate ORDER BY sip_uri, device_id"  # noqa: S608
            ).fetchall()
        names = _COLUMNS.split(", ")
        return [Publication(pool=self.pool, **dict(zip(names, row, strict=True))) for row in rows]

    def users(self) -> list[str]:
        """Return the SIP URIs of whom something is kept."""
        with self._connected() as db:
            rows = db.execute(
                "SELECT sip_uri FROM certificate UNION SELECT sip_uri FROM pin_failure"
            ).fetchall()
        return [sip_uri for (sip_uri,) in rows]

    def revoke(self, sip_uri: str) -> int:
        """Delete every certificate of a user and say how many there were."""
        with self._transaction() as db:
            return db.execute("DELETE FROM certificate WHERE sip_uri = ?", (sip_uri,)).rowcount

    def owner(self, sha256: str) -> str | None:
        """Return the user (SIP URI) for whom the certificate of that digest is published."""
        with self._connected() as db:
            row = db.execute(
                "SELECT sip_uri FROM certificate WHERE sha256 = ?", (sha256,)
            ).fetchone()
        return row[0] if row else None

    def device_of(self, sip_uri: str, sha256: str) -> str | None:
        """Return the device for which the certificate of that digest is published for a user."""
        with self._connected() as db:
            row = db.execute(
                "SELECT device_id FROM certificate WHERE sip_uri = ? AND sha256 = ?",
                (sip_uri, sha256),
            ).fetchone()
        return row[0] if row else None

    def take_over(self, sip_uri: str, old: "PoolStore") -> None:
        """Take what another pool's store keeps of a user: he has been moved (``Move-CsUser``)."""
        with self._connected() as db:
            db.execute("ATTACH ? AS old", (old.uri,))
            db.execute("BEGIN IMMEDIATE")
            with db:
                for table in ("certificate", "pin_failure"):
                    db.execute(
                        f"INSERT OR REPLACE INTO main.{table} "  # noqa: S608 - constant
                        f"SELECT * FROM old.{table} WHERE sip_uri = ?",
                        (sip_uri,),
                    )
                    db.execute(f"DELETE FROM old.{table} WHERE sip_uri = ?", (sip_uri,))  # noqa: S608

    def try_pin(self, user: LabUser, offered: str, tries: int = 5) -> PinOutcome:
        """Compare a PIN and keep the count of failures, both in one transaction.

        A locked user is refused with the right PIN too; a success forgets the failures.

        Args:
            user: Whose PIN.
            offered: What was keyed in.
            tries: Failures after which the PIN is locked.
        """
        with self._transaction() as db:
            row = db.execute(
                "SELECT failures FROM pin_failure WHERE sip_uri = ?", (user.sip_uri,)
            ).fetchone()
            failures: int = row[0] if row else 0
            if failures >= tries:
                return PinOutcome.LOCKED
            right = hmac.compare_digest(user.pin.encode(), offered.encode())
            db.execute(
                "INSERT OR REPLACE INTO pin_failure VALUES (?, ?)",
                (user.sip_uri, 0 if right else failures + 1),
            )
        return PinOutcome.RIGHT if right else PinOutcome.WRONG

    def unlock(self, sip_uri: str) -> None:
        """Forget the user's wrong PINs."""
        with self._transaction() as db:
            db.execute("DELETE FROM pin_failure WHERE sip_uri = ?", (sip_uri,))

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
        with contextlib.closing(db):
            yield db

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            with db:  # commits, or rolls back on an exception
                yield db


class PoolStores:
    """The stores of every home pool of a lab."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, user: LabUser) -> PoolStore:
        """Return the store of the user's home pool: that to which he was moved, if he was."""
        return self._store(self._moved().get(user.sip_uri, user.home_pool))

    def move(self, user: LabUser, moved: LabUser, *, with_content: bool) -> None:
        """Give a user another home pool, from now on and in every process.

        Args:
            user: As he was at the start, or after the last move.
            moved: The same with his new home pool.
            with_content: Whether what is kept of him moves along.

        Raises:
            LabUnusable: The new pool's store cannot be made.
            sqlite3.Error: A store cannot be reached.
        """
        old, new = self.of(user), self._store(moved.home_pool)
        new.create()
        moves = self._moved() | {user.sip_uri: moved.home_pool}
        write_atomic(self._folder / _MOVED, json.dumps(moves).encode())
        if with_content and new.pool != old.pool:
            new.take_over(user.sip_uri, old)

    def _store(self, pool: str) -> PoolStore:
        return PoolStore(self._folder / f"{pool}{_SUFFIX}")

    def _moved(self) -> dict[str, str]:
        """Return who was moved where since the start; the users file tells the next one."""
        try:
            found: dict[str, str] = json.loads((self._folder / _MOVED).read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def create(self, users: Sequence[LabUser]) -> None:
        """Make the stores of all these users' pools, and move to them who was in another.

        Raises:
            LabUnusable: A store cannot be made or read.
        """
        private_folder(self._folder)
        (self._folder / _MOVED).unlink(missing_ok=True)
        for user in {user.home_pool: user for user in users}.values():
            self.of(user).create()
        homes = {user.sip_uri: self.of(user) for user in users}
        try:
            for store in self.all():
                _move_away(store, homes)
        except sqlite3.Error as error:
            raise LabUnusable(f"the user stores in {self._folder}: {error}") from None

    def all(self) -> list[PoolStore]:
        """Return every store that there is, by name."""
        return [PoolStore(path) for path in sorted(self._folder.glob(f"*{_SUFFIX}"))]


def _move_away(store: PoolStore, homes: Mapping[str, PoolStore]) -> None:
    for sip_uri in store.users():
        home = homes.get(sip_uri)
        if home is not None and home.pool != store.pool:
            home.take_over(sip_uri, store)


def published(folder: Path) -> list[Publication]:
    """List what is published in the lab of that folder, whether it runs or not.

    Raises:
        LabUnusable: The folder holds no lab, or a store in it cannot be read.
    """
    with _readable(folder) as stores:
        return [publication for store in stores for publication in store.publications()]


def revoke(folder: Path, sip_uri: str) -> int:
    """Delete all of a user's certificates from the lab of that folder and return their number.

    Raises:
        LabUnusable: The folder holds no lab, or a store in it cannot be written.
    """
    with _readable(folder) as stores:
        return sum(store.revoke(sip_uri.lower()) for store in stores)


def unlock(folder: Path, sip_uri: str) -> None:
    """Forget a user's wrong PINs in the lab of that folder.

    Raises:
        LabUnusable: The folder holds no lab, or a store in it cannot be written.
    """
    with _readable(folder) as stores:
        for store in stores:
            store.unlock(sip_uri.lower())


@contextlib.contextmanager
def _readable(folder: Path) -> Iterator[list[PoolStore]]:
    stores = PoolStores(Layout(folder).stores).all()
    if not stores:
        raise LabUnusable(f"{folder} holds no lab")
    try:
        yield stores
    except sqlite3.Error as error:
        raise LabUnusable(f"a user store in {folder}: {error}") from None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
