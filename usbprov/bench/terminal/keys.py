"""What the keys of a terminal send, read back into keys. No I/O.

Whatever a barcode scanner types is text and an end of line; commands are keys that no scanner
has: arrows and control keys. So nothing that is scanned can be taken for a command.
"""

from collections.abc import Iterator, Mapping
from enum import Enum, auto


class Key(Enum):
    """A key that is no text."""

    ENTER = auto()
    ESCAPE = auto()
    BACKSPACE = auto()
    CLEAR = auto()
    UP = auto()
    DOWN = auto()
    RETRY = auto()
    SKIP = auto()
    FIND = auto()
    REDRAW = auto()
    LINK = auto()
    STOP = auto()


_CONTROLS: Mapping[str, Key] = {
    "\r": Key.ENTER,
    "\n": Key.ENTER,
    "\t": Key.ENTER,  # what many scanners end with
    "\x7f": Key.BACKSPACE,
    "\b": Key.BACKSPACE,
    "\x15": Key.CLEAR,
    "\x12": Key.RETRY,
    "\x0b": Key.SKIP,
    "\x06": Key.FIND,
    "\x0c": Key.REDRAW,
    "\x17": Key.LINK,
    "\x03": Key.STOP,
}

_SEQUENCES: Mapping[str, Key] = {"A": Key.UP, "B": Key.DOWN}
"""By the last character of ``ESC [ … c`` and ``ESC O c`` (ECMA-48 8.3.22, 8.3.19; xterm)."""

_ESC = "\x1b"
_LONGEST = 32
"""Characters of an escape sequence; what is longer is none."""


class KeyDecoder:
    """Turns characters into keys and text, however they are cut into pieces."""

    def __init__(self) -> None:
        self._pending = ""

    @property
    def waits(self) -> bool:
        """Whether an escape sequence has begun and not ended."""
        return bool(self._pending)

    def feed(self, text: str) -> Iterator[Key | str]:
        """Yield keys, and single characters of text."""
        for character in text:
            if self._pending == _ESC and character not in "[O":
                yield from self.flush()
            key = self._next(character)
            if key is not None:
                yield key

    def flush(self) -> Iterator[Key]:
        """Nothing more came: an ESC that stands alone is the key of that name."""
        alone, self._pending = self._pending == _ESC, ""
        if alone:
            yield Key.ESCAPE

    def _next(self, character: str) -> Key | str | None:
        if self._pending:
            return self._in_sequence(character)
        if character == _ESC:
            self._pending = _ESC
            return None
        if character.isprintable():
            return character
        return _CONTROLS.get(character)

    def _in_sequence(self, character: str) -> Key | str | None:
        self._pending += character
        if len(self._pending) == 2 or (not "@" <= character <= "~" and self._is_short()):
            return None
        self._pending = ""
        return _SEQUENCES.get(character)

    def _is_short(self) -> bool:
        return len(self._pending) < _LONGEST
