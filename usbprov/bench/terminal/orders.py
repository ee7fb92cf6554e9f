"""Carries out what the operator asks for, one after the other, beside the board."""

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from usbprov.bench.controls import Controls
from usbprov.bench.terminal.hands import Find, Intent, KeyIn, Retry, Scan, Skip
from usbprov.bench.terminal.picture import Message
from usbprov.errors import UsbprovError

_log = logging.getLogger(__name__)


class Orders:
    """Hands intents to the bench in a thread of its own: asking a ledger may take a moment.

    ``say`` is called with what became of each, from that thread.
    """

    def __init__(self, controls: Controls, say: Callable[[Message], None]) -> None:
        """Begin with nothing to do, and all lamps out."""
        self._controls = controls
        self._say = say
        self._lit: set[str] = set()
        self._queue: SimpleQueue[Intent | None] = SimpleQueue()
        Thread(target=self._work, name="board-orders", daemon=True).start()

    def give(self, intent: Intent) -> None:
        """Have an intent carried out after those before it."""
        self._queue.put(intent)

    def went_away(self, label: str) -> None:
        """Note that the phone at a port is gone, and its lamp with it."""
        self._lit.discard(label)

    def close(self) -> None:
        """Take no more; what was given before is still carried out."""
        self._queue.put(None)

    def _work(self) -> None:
        while (intent := self._queue.get()) is not None:
            self._carry_out(intent)

    def _carry_out(self, intent: Intent) -> None:
        try:
            self._say(Message(self._done(intent)))
        except UsbprovError as error:
            self._say(Message(f"{error.code}: {error}", bad=True))
        except Exception:
            _log.exception("%s", type(intent).__name__)
            self._say(Message("That did not work: an error of the program; see the log.", bad=True))

    def _done(self, intent: Intent) -> str:
        match intent:
            case Scan(text):
                return self._controls.scan(text)
            case Retry(label):
                self._controls.retry(label)
                return f"{label} is tried again."
            case Skip(label):
                self._controls.skip(label)
                return f"{label} is left out."
            case Find(label):
                return self._found(label)
            case KeyIn(label, pin):
                self._controls.key_in(label, pin)
                return f"{label}: the PIN is taken." if pin else f"{label}: without a PIN."
        return ""

    def _found(self, label: str) -> str:
        on = label not in self._lit
        self._controls.find(label, on=on)
        self._lit ^= {label}
        return f"The lamp at {label} is {'on' if on else 'out'}."
