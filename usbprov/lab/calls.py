"""The request log: one line a call, with what came of it, and nothing secret.

A line has the time, who called, method and path, status, duration, and notes by those who worked on
the call. No query, no header and no body is in it.
"""

import contextlib
import contextvars
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from usbprov.lab.files import PRIVATE
from usbprov.lab.times import system_clock, write_time

logger = logging.getLogger(__name__)

_LONGEST_PATH = 120


@dataclass
class Call:
    """A call that is being worked on.

    Attributes:
        method: HTTP method.
        path: As asked for, without the query; hostile.
        notes: What came of it, in the order in which it came.
    """

    method: str
    path: str
    notes: list[str] = field(default_factory=list)

    def line(self, status: int, milliseconds: float) -> str:
        """Return the line of the log; a status of 0 is that of a connection that was dropped."""
        path = self.path.encode("unicode_escape").decode()[:_LONGEST_PATH]
        told = f"{self.method} {path} {status or 'dropped'} {milliseconds:.0f} ms"
        return "; ".join([f"{write_time(system_clock())} {told}", *self.notes])


_CURRENT: contextvars.ContextVar[Call | None] = contextvars.ContextVar("call", default=None)


def begin(call: Call) -> None:
    """Have the notes of this task, and of the threads that it starts, go to the call."""
    _CURRENT.set(call)


def note(text: str) -> None:
    """Add to the line of the call that is being worked on; no secret, nothing of a message."""
    call = _CURRENT.get()
    if call is not None:
        call.notes.append(text)


class CallLog:
    """Keeps the lines in a file (0600), and shows each to whoever wants to see them live."""

    def __init__(self, path: Path, show: Callable[[str], None] | None = None) -> None:
        """Open the log.

        Args:
            path: The file; lines are added to those of earlier starts.
            show: Called with each line, in the server's thread.
        """
        self._lock = threading.Lock()
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE)
        self._file = os.fdopen(handle, "a", encoding="utf-8")
        self._show = show

    def write(self, line: str) -> None:
        """Add a line; it is in the file when this returns."""
        logger.debug("%s", line)
        with self._lock, contextlib.suppress(OSError, ValueError):  # a full disk, or closed
            self._file.write(line + "\n")
            self._file.flush()
        if self._show is not None:
            with contextlib.suppress(OSError, ValueError):  # nobody looks any more
                self._show(line)

    def close(self) -> None:
        """Close the file; later lines are shown only."""
        with self._lock:
            self._file.close()
