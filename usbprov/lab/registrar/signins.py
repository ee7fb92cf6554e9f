"""The list of sign-ins, which lasts in the lab's folder and can be asked while the lab runs."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from usbprov.errors import LabUnusable
from usbprov.lab.files import PRIVATE
from usbprov.lab.layout import Layout

SIGNED_IN, SIGNED_OUT, CLOSED = "signed in", "signed out", "connection closed"
"""How a sign-in that succeeded goes on; others are ``refused …`` or ``sent to …``."""

_MOST = 10_000
_LONGEST_TEXT = 200
_BUSY_SECONDS = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sign_in (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, sip_uri TEXT NOT NULL,
    device_id TEXT NOT NULL, scheme TEXT NOT NULL, protocol TEXT NOT NULL, cipher TEXT NOT NULL,
    registrar TEXT NOT NULL, outcome TEXT NOT NULL) STRICT;
"""
_COLUMNS = "at, sip_uri, device_id, scheme, protocol, cipher, registrar, outcome"


@dataclass(frozen=True)
class SignIn:
    """One sign-in.

    Attributes:
        at: When, ISO 8601 in UTC, by the lab's clock.
        sip_uri: As whom.
        device_id: Instance UUID of the device; "" where it named none.
        scheme: ``TLS-DSK``, ``NTLM`` or ``Kerberos``.
        protocol: Version of the inner TLS; "" for other schemes.
        cipher: Its cipher suite, likewise.
        registrar: ``host:port`` at which it was.
        outcome: How it ended: ``signed in``, ``signed out``, ``connection closed``,
            ``sent to host:port``, or ``refused`` with status and reason.
    """

    at: str
    sip_uri: str
    device_id: str
    scheme: str
    protocol: str
    cipher: str
    registrar: str
    outcome: str

    def row(self) -> dict[str, str]:
        """Return the fields by name, for ``--json``."""
        return asdict(self)


class SignIns:
    """Keeps the list; safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        """Open the list, or make it (0600).

        Raises:
            LabUnusable: The file cannot be used.
        """
        self._lock = threading.Lock()
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE))
            self._db = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise LabUnusable(f"{path}: {error}") from None

    def add(self, sign_in: SignIn) -> int:
        """Add one and return its number; of very many the oldest is dropped."""
        values = [_clean(text) for text in asdict(sign_in).values()]
        with self._lock:
            made = self._db.execute(
                f"INSERT INTO sign_in ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                values,
            ).lastrowid
            self._db.execute("DELETE FROM sign_in WHERE id <= ?", ((made or 0) - _MOST,))
        return made or 0

    def change(self, number: int, outcome: str) -> None:
        """Say how one went on."""
        with self._lock, contextlib.suppress(sqlite3.ProgrammingError):  # closed
            self._db.execute("UPDATE sign_in SET outcome = ? WHERE id = ?", (outcome, number))

    def cut(self, number: int) -> None:
        """Say that its connection is gone; one that was refused or sent on has ended before."""
        with self._lock, contextlib.suppress(sqlite3.ProgrammingError):  # closed
            self._db.execute(
                "UPDATE sign_in SET outcome = ? WHERE id = ? AND outcome = ?",
                (CLOSED, number, SIGNED_IN),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def sign_ins(folder: Path) -> list[SignIn]:
    """List the sign-ins at the lab of that folder, oldest first, whether it runs or not.

    Raises:
        LabUnusable: The folder holds no lab, or the list cannot be read.
    """
    path = Layout(folder).sign_ins
    if not path.exists():
        raise LabUnusable(f"{folder} holds no lab")
    with _opened(path) as db:
        rows = db.execute(f"SELECT {_COLUMNS} FROM sign_in ORDER BY id").fetchall()  # noqa: S608
    return [SignIn(*row) for row in rows]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        uri = path.absolute().as_uri() + "?mode=ro"
        db = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)
        with contextlib.closing(db):
            yield db
    except sqlite3.Error as error:
        raise LabUnusable(f"{path}: {error}") from None


def _clean(text: str) -> str:
    """Make a text that a client sent fit to be shown."""
    return text.encode("unicode_escape").decode()[:_LONGEST_TEXT]
