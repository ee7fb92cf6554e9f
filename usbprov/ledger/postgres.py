"""The ledger in PostgreSQL: verified connection, durable commits, no lock held for long.

Needs the extra ``postgres``; imports its library when it is used.
"""

import importlib.util
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFree

from usbprov.errors import (
    LedgerBusy,
    LedgerDamaged,
    LedgerDenied,
    LedgerDependencyMissing,
    LedgerError,
    LedgerFull,
    LedgerNotDurable,
    LedgerSignInRefused,
    LedgerUnreached,
    LedgerUnusable,
)
from usbprov.ledger.address import PostgresAddress
from usbprov.ledger.backend import Failure
from usbprov.ledger.chain import Unsettled

if TYPE_CHECKING:
    import psycopg

# ruff: noqa: PLC0415 - an extra

CONNECTIONS = 8
"""At most, for one process; the chain lets one transaction after the other commit anyway."""

_LIBRARY = "psycopg"

_CONNECTING: Mapping[str, str] = MappingProxyType(
    {
        "connect_timeout": "10",
        "application_name": "usbprov",
        "client_encoding": "UTF8",
        # A server whose computer lost its power is noticed within half a minute.
        "tcp_user_timeout": "20000",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
    }
)

_SESSION = """
SELECT set_config('idle_in_transaction_session_timeout', '10s', false),
       set_config('lock_timeout', '10s', false),
       set_config('statement_timeout', '60s', false),
       set_config('synchronous_commit',
                  CASE current_setting('synchronous_commit')
                  WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""
"""Bounds that free the ledger from a bench that died with a transaction open; and durability."""

_MUST_BE_ON = "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes')"
_OFF = f"{_MUST_BE_ON} AND setting = 'off' ORDER BY name LIMIT 1"

_SCHEMA_LOCK = 0x75736270726F7600
"""Number of the advisory lock under which the tables are made and changed: "usbprov"."""

_LOST = ("08", "57P", "25P03")
"""SQLSTATEs, or their first characters: the connection is gone or was ended by the server."""

_UNDONE = ("40", "55P03")
"""Deadlock, serialisation, a lock that was not to be had in time."""

_STATES: tuple[tuple[str, type[LedgerError]], ...] = (
    ("28", LedgerSignInRefused),
    ("3D000", LedgerSignInRefused),
    ("42501", LedgerDenied),
    ("25006", LedgerDenied),
    ("55P03", LedgerBusy),
    ("57014", LedgerBusy),
    ("40", LedgerBusy),
    ("53300", LedgerUnreached),
    ("53100", LedgerFull),
    ("XX001", LedgerDamaged),
    ("XX002", LedgerDamaged),
    *((state, LedgerUnreached) for state in _LOST),
)
"""What a SQLSTATE means, by its first characters (PostgreSQL documentation, appendix A)."""


class Postgres:
    """A PostgreSQL database that several benches may use."""

    reading: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT"}
    snapshot: Mapping[str, Any] = {
        "isolation_level": "REPEATABLE READ",
        "postgresql_readonly": True,
    }

    def __init__(self, address: PostgresAddress) -> None:
        self.name = str(address)
        self._parameters = {**_CONNECTING, **address.connection_parameters()}

    def engine(self) -> Engine:
        """Make the pool; it connects when it is used.

        Raises:
            LedgerDependencyMissing: The extra is not installed.
        """
        if importlib.util.find_spec(_LIBRARY) is None:
            raise LedgerDependencyMissing(_LIBRARY)
        return create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            use_native_hstore=False,
            pool_size=CONNECTIONS,
            max_overflow=0,
        )

    def _connect(self) -> "psycopg.Connection[Any]":
        import psycopg

        connection = psycopg.connect(**self._parameters, autocommit=True)  # type: ignore[arg-type]
        try:
            connection.execute(_SESSION)
            off = connection.execute(_OFF).fetchone()
            if off:
                raise LedgerNotDurable(self.name, f"{off[0]} is off")
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection

    def writing(self, engine: Engine) -> AbstractContextManager[Connection]:
        """Have a transaction; they run side by side."""
        return engine.begin()

    def lock_schema(self, connection: Connection) -> None:
        """Wait for whoever makes or changes the tables."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SCHEMA_LOCK})

    def back_up(self, schema: int) -> None:
        """Do nothing: that is the server's own affair, as docs/ledger.md says."""

    def scrub(self) -> None:
        """Do nothing: the server overwrites what was removed when it tidies up (VACUUM)."""

    def settle(self) -> None:
        """Do nothing: nothing is put off."""

    def check_room(self) -> None:
        """Do nothing: only the server knows its disk, and it says so when it is full."""

    def check_pages(self, connection: Connection) -> None:
        """Do nothing: that is the server's own affair (``pg_amcheck``)."""

    def is_lost(self, error: Failure) -> bool:
        """Say whether there is no connection any more."""
        if not isinstance(error, DBAPIError):
            return False
        state = _state(error)
        return error.connection_invalidated or (
            state.startswith(_LOST) if state else _is_operational(error)
        )

    def is_undone(self, error: Failure) -> bool:
        """Say whether the server rolled the transaction back for another's sake."""
        return isinstance(error, Unsettled) or _state(error).startswith(_UNDONE)

    def translated(self, error: Failure) -> LedgerError:
        """Tell by the SQLSTATE; a connection that is refused while it is made has none."""
        original = getattr(error, "orig", None) or error
        reason = " ".join(str(original).split())
        if isinstance(error, NoneFree):
            return LedgerBusy(self.name, "all connections are in use")
        if isinstance(error, Unsettled):
            return LedgerBusy(self.name, "the server still works on a write of a lost connection")
        state = _state(error)
        for known, meaning in _STATES:
            if state.startswith(known):
                return meaning(self.name, reason)
        if state or not _is_operational(error):
            return LedgerUnusable(self.name, reason)
        return (LedgerSignInRefused if _not_let_in(original) else LedgerUnreached)(
            self.name, reason
        )


def _state(error: Failure) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _is_operational(error: Failure) -> bool:
    import psycopg

    return isinstance(getattr(error, "orig", None), psycopg.OperationalError)


def _not_let_in(original: object) -> bool:
    """Say whether it is the role that the server refused, not connections in general.

    libpq keeps no SQLSTATE of a refused connection. What it says ends in the server's own words,
    of which some pass by themselves.
    """
    words = str(original)
    passing = ("starting up", "shutting down", "recovery", "too many", "remaining connection")
    asked = "no password supplied" in words
    return asked or ("FATAL:" in words and not any(part in words for part in passing))
