"""The ledger of one job: what tells of the past goes with what tells of the future, in one commit.

A commit is dear: the disk has to say that it is there. How a step ended is needed by nobody before
the next step is about to begin. A program that is killed in between finds the step begun when it
is started again, as if it had been killed a moment earlier, and finds it done as it ever does.
"""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from usbprov.ledger.chain import Write
from usbprov.ledger.ledger import Ledger

T = TypeVar("T")

_Work = Callable[[Write], object]


class GatheringLedger(Ledger):
    """A ledger for one thread, in which what may wait is written with the next write.

    It shares the database with the one that it was made of, which closes it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.database = ledger.database
        self._waiting: list[tuple[str, _Work]] = []

    def flush(self) -> None:
        """Write what waits, if anything does."""
        if self._waiting:
            self._write("", lambda _: None)

    def drop(self) -> None:
        """Forget what waits: it is not to be written any more."""
        self._waiting.clear()

    def _later(self, kind: str, work: _Work) -> None:
        self._waiting.append((kind, work))

    def _write(self, kind: str, work: Callable[[Write], T]) -> T:
        waiting = tuple(self._waiting)
        kinds = dict.fromkeys([*(waits for waits, _ in waiting), kind])

        def all_of_it(write: Write) -> T:
            for _, before in waiting:
                before(write)
            return work(write)

        result = self.database.write(", ".join(filter(None, kinds)), all_of_it)
        self._waiting.clear()
        return result

    def _read(self, work: Callable[[Connection], T]) -> T:
        self.flush()
        return super()._read(work)
