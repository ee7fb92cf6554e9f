"""What differs between the databases, as the rest of the ledger sees it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from usbprov.errors import LedgerError

Failure = SQLAlchemyError | OSError


class Backend(Protocol):
    """One kind of database."""

    name: str
    """How the ledger is called in messages."""

    reading: Mapping[str, Any]
    """Execution options of a connection that reads with one statement."""

    snapshot: Mapping[str, Any]
    """Execution options of one that reads with several, as of one moment."""

    def engine(self) -> Engine:
        """Make the pool of connections; may be used by any number of threads."""
        ...

    def writing(self, engine: Engine) -> AbstractContextManager[Connection]:
        """Have a transaction that writes, which the block's end commits.

        Where the database lets one write at a time, it is waited for this thread's turn.
        """
        ...

    def lock_schema(self, connection: Connection) -> None:
        """Keep other processes from making or changing the tables until the transaction ends."""
        ...

    def back_up(self, schema: int) -> None:
        """Keep the ledger as it is before it is changed to ``schema``, where that is simple."""
        ...

    def scrub(self) -> None:
        """Have nothing left soon of what was removed just now, as far as that can be had."""
        ...

    def settle(self) -> None:
        """Do what was put off, and close what is not in the pool, before the ledger is closed."""
        ...

    def check_room(self) -> None:
        """Refuse to go on where it is known that there would be no room for what is done next.

        Raises:
            LedgerFull: It is so.
            OSError: There is nothing to look at.
        """
        ...

    def check_pages(self, connection: Connection) -> None:
        """Check what lies below the tables, where the database does not do so by itself.

        Raises:
            LedgerDamaged: Some part is not what it must be.
        """
        ...

    def is_lost(self, error: Failure) -> bool:
        """Say whether the connection is gone, so that it is not known what became of a commit."""
        ...

    def is_undone(self, error: Failure) -> bool:
        """Say whether the database undid the transaction for another's sake: it may be repeated."""
        ...

    def translated(self, error: Failure) -> LedgerError:
        """Return the error of the tree."""
        ...
