"""PINs that are keyed in at a board: which ports wait for one, and the first answer to each."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from usbprov.bench.roster import RosterEntry
from usbprov.bench.secrets import KeyedPins
from usbprov.errors import PinUnusable


@dataclass
class PinQuestion:
    """A PIN that a port waits for.

    Attributes:
        entry: Whose PIN it is.
        told: Is called when the question is settled.
        settled: Set when it was answered, or left out.
    """

    entry: RosterEntry
    told: Callable[[], None]
    settled: threading.Event = field(default_factory=threading.Event)


class PinDesk:
    """Has PINs keyed in, at whichever board comes first. Thread-safe; a PIN is in no ``repr``.

    Attributes:
        attended: Says whether there is a board now at which PINs can be keyed in. Without one
            a question is left out at once.
    """

    def __init__(self, keyed: KeyedPins) -> None:
        """Begin with no question.

        Args:
            keyed: Where the bench's secrets find what was keyed in.
        """
        self.attended: Callable[[], bool] = lambda: False
        self._keyed = keyed
        self._lock = threading.Lock()
        self._questions: dict[str, PinQuestion] = {}

    @contextmanager
    def asked(
        self, label: str, entry: RosterEntry, told: Callable[[], None]
    ) -> Iterator[PinQuestion]:
        """Let the question stand within the block.

        Args:
            label: Of the port that waits.
            entry: Whose PIN is wanted.
            told: Is called when it is settled, from the thread that settles it.
        """
        question = PinQuestion(entry, told)
        if not self.attended():
            question.settled.set()
        with self._lock:
            self._questions[label] = question
        try:
            yield question
        finally:
            with self._lock:
                del self._questions[label]

    def answer(self, label: str, pin: str | None) -> bool:
        """Take the PIN that a port waits for, or None: it is left out.

        Returns:
            Whether the port waits for one, and nobody else was first.

        Raises:
            PinUnusable: It is no PIN; the port goes on waiting.
        """
        with self._lock:
            question = self._questions.get(label)
            if question is None or question.settled.is_set():
                return False
            if pin is not None:
                self._keep(label, question.entry, pin)
            question.settled.set()
        question.told()
        return True

    def forget(self, entry: RosterEntry) -> None:
        """Forget what was keyed in for a user."""
        self._keyed.forget(entry)

    def _keep(self, label: str, entry: RosterEntry, pin: str) -> None:
        try:
            self._keyed.give(entry, pin)
        except ValueError:  # whose words are those of a file's checks
            raise PinUnusable(label) from None
