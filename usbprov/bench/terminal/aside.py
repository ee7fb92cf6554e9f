"""Standard error, kept off the board: what others write there is said below it, and kept."""

import contextlib
import io
import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator

_MOST_KEPT = 500
"""Lines that are kept until the board has ended; of more, the last."""


class Aside(io.TextIOBase):
    """Takes text in, and hands on each whole line that is not blank."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Say each line by ``say``, and keep it."""
        self._say = say
        self._begun = ""
        self.kept: deque[str] = deque(maxlen=_MOST_KEPT)

    def write(self, text: str) -> int:
        """Take text in."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self.kept.append(line)
            if line.strip():
                self._say(line)
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True


@contextlib.contextmanager
def errors_set_aside(say: Callable[[str], None]) -> Iterator[None]:
    """Keep standard error and the log off the terminal inside the block, then write them there.

    Where standard error goes elsewhere it is left alone.
    """
    usual = sys.stderr
    if usual is None or not usual.isatty():
        yield
        return
    aside = Aside(say)
    sys.stderr = aside
    _move_log(usual, aside)
    try:
        yield
    finally:
        _move_log(aside, usual)
        sys.stderr = usual
        with contextlib.suppress(OSError):
            usual.writelines(line + "\n" for line in aside.kept)
            usual.flush()


def _move_log(there: object, here: object) -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is there:
            handler.setStream(here)
