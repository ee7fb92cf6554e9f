"""What the operator means by the keys: a line that is typed or scanned, a port, a command. No I/O.

Keys become intents, which the board carries out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from usbprov.bench.rosterfile.values import is_pin
from usbprov.bench.terminal.keys import Key

LONGEST_LINE = 256
"""Characters of a line; a barcode has fewer."""

_SCANNER_PACE = 0.02
"""Seconds from one key to the next: nobody types as fast, scanners always do. Our choice."""


@dataclass(frozen=True)
class Scan:
    """A line that was scanned or typed."""

    text: str


@dataclass(frozen=True)
class Retry:
    """Try a port again."""

    label: str


@dataclass(frozen=True)
class Skip:
    """Give up a port's job."""

    label: str


@dataclass(frozen=True)
class Find:
    """Light a phone's lamp, or put it out if it is lit."""

    label: str


@dataclass(frozen=True)
class KeyIn:
    """The PIN that a port waits for; None when it is left out."""

    label: str
    pin: str | None = field(repr=False)


@dataclass(frozen=True)
class Say:
    """The board itself has something to say."""

    words: str


@dataclass(frozen=True)
class Redraw:
    """Write the whole screen anew."""


@dataclass(frozen=True)
class ShowLink:
    """Say where the board for browsers is."""


@dataclass(frozen=True)
class Stop:
    """End the bench, where the terminal does not say so by a signal."""


Intent = Scan | Retry | Skip | Find | KeyIn | Say | Redraw | ShowLink | Stop

NO_PORT = "Choose a port first: the arrow keys, or type its label."
NOT_TYPED = "That came from a scanner. Please type it."
NO_PIN = "A PIN has 4 to 24 digits and nothing else."


@dataclass
class Hands:
    """The state of the operator's hands.

    Attributes:
        line: What was typed and not yet entered.
        chosen: Label of the chosen port.
        details: Whether that port's details are shown.
        secret: What is asked for, while a PIN is; the line is hidden then.
        waiting: Label of the port that waits for it.
    """

    line: str = field(default="", repr=False)
    chosen: str | None = None
    details: bool = False
    secret: str | None = None
    waiting: str = ""
    _first: float = 0.0
    _last: float = 0.0

    def press(self, key: Key | str, labels: Sequence[str], at: float) -> Intent | None:
        """Take a key.

        Args:
            key: The key, or a character.
            labels: Of the ports, in the order of the screen.
            at: When, in seconds of any clock that only goes forward.
        """
        if isinstance(key, str):
            self._type(key, at)
            return None
        if self.secret is not None:
            return self._press_in_secret(key)
        return self._COMMANDS[key](self, labels)

    def ask(self, what: str | None, label: str = "") -> None:
        """Begin to ask for the PIN that a port waits for, or end it; drop what was typed."""
        self.secret, self.waiting, self.line = what, label, ""

    def is_busy(self, at: float, patience: float) -> bool:
        """Say whether a line has been begun, not longer ago than ``patience`` seconds."""
        return bool(self.line) and at - self._last < patience

    def _type(self, character: str, at: float) -> None:
        if not self.line:
            self._first = at
        self._last = at
        self.line = (self.line + character)[:LONGEST_LINE]

    def _press_in_secret(self, key: Key) -> Intent | None:
        match key:
            case Key.ENTER:
                return self._answer()
            case Key.ESCAPE:
                return self._answered(None)
            case Key.BACKSPACE | Key.CLEAR | Key.REDRAW | Key.STOP:
                return self._COMMANDS[key](self, ())
        return None

    def _answer(self) -> Intent | None:
        """A scan into the question would be tried as a PIN, and accounts lock."""
        if not self.line:
            return None
        words = NOT_TYPED if self._is_scanned() else "" if is_pin(self.line) else NO_PIN
        if not words:
            return self._answered(self.line)
        self.line = ""
        return Say(words)

    def _answered(self, pin: str | None) -> KeyIn:
        intent = KeyIn(self.waiting, pin)
        self.ask(None)
        return intent

    def _is_scanned(self) -> bool:
        return self._last - self._first < _SCANNER_PACE * (len(self.line) - 1)

    def _enter(self, _: Sequence[str]) -> Intent | None:
        line, self.line = self.line.strip(), ""
        if line:
            return Scan(line)
        self.details = not self.details and self.chosen is not None
        return None

    def _escape(self, _: Sequence[str]) -> None:
        if self.line:
            self.line = ""
        elif self.details:
            self.details = False
        else:
            self.chosen = None

    def _backspace(self, _: Sequence[str]) -> None:
        self.line = self.line[:-1]

    def _clear(self, _: Sequence[str]) -> None:
        self.line = ""

    def _move(self, labels: Sequence[str], by: int) -> None:
        if not labels:
            return
        if self.chosen not in labels:
            self.chosen = labels[0 if by > 0 else -1]
            return
        at = labels.index(self.chosen) + by
        self.chosen = labels[min(max(at, 0), len(labels) - 1)]

    def _up(self, labels: Sequence[str]) -> None:
        self._move(labels, -1)

    def _down(self, labels: Sequence[str]) -> None:
        self._move(labels, 1)

    def _retry(self, labels: Sequence[str]) -> Intent:
        return self._on_port(labels, Retry)

    def _skip(self, labels: Sequence[str]) -> Intent:
        return self._on_port(labels, Skip)

    def _find(self, labels: Sequence[str]) -> Intent:
        return self._on_port(labels, Find)

    def _on_port(self, labels: Sequence[str], of: Callable[[str], Intent]) -> Intent:
        """The port whose label was typed, else the chosen one."""
        if self.line:
            known = {label.casefold(): label for label in labels}
            typed, self.line = self.line.strip(), ""
            label = known.get(typed.casefold())
            return of(label) if label else Say(f"There is no port {typed}.")
        return of(self.chosen) if self.chosen is not None else Say(NO_PORT)

    def _redraw(self, _: Sequence[str]) -> Intent:
        return Redraw()

    def _link(self, _: Sequence[str]) -> Intent:
        return ShowLink()

    def _stop(self, _: Sequence[str]) -> Intent:
        return Stop()

    _COMMANDS: ClassVar[Mapping[Key, "Callable[[Hands, Sequence[str]], Intent | None]"]] = {
        Key.ENTER: _enter,
        Key.ESCAPE: _escape,
        Key.BACKSPACE: _backspace,
        Key.CLEAR: _clear,
        Key.UP: _up,
        Key.DOWN: _down,
        Key.RETRY: _retry,
        Key.SKIP: _skip,
        Key.FIND: _find,
        Key.REDRAW: _redraw,
        Key.LINK: _link,
        Key.STOP: _stop,
    }
