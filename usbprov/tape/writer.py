"""The tape's file: lines of JSON, in the kernel's hands as soon as they happen, bounded in size."""

import logging
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from usbprov.tape.events import REMOVED, STEPS, Event, Json, Kind, packed

logger = logging.getLogger(__name__)

MAX_LINE = 512 * 1024
"""Bytes of one event; one that is longer is written as its size."""
MAX_TAPE = 8 * 1024 * 1024
"""Bytes after which a tape has no room but for steps. The beginning is what is kept."""
_RESERVE = 1024 * 1024
"""Bytes that the steps may take besides."""

_APPEND = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
_HIDDEN = "***"
_SHORTEST = 4
"""Characters of a secret that is looked for in others' words: a shorter one is in every text."""


class TapeWriter:
    """Writes one tape; a ``Recorder``. A disk that is full ends the tape, and nothing else."""

    def __init__(self, path: Path) -> None:
        """Begin a file that only its owner may read; its folder is made if need be."""
        self.path = path
        self._began = time.monotonic()
        self._secrets: set[str] = set()
        self._size = 0
        self._cut = False
        self._file: int | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(path, _APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            self._give_up(error)

    def note(self, kind: Kind, body: Mapping[str, object]) -> None:
        """Write an event, in one system call: a program that is killed loses none."""
        if self._file is None or (self._cut and kind not in STEPS):
            return
        line = self._line(kind, body)
        if not self._cut and self._size + len(line) > MAX_TAPE:
            self._cut = True
            self._write(self._line(Kind.CUT, {"bytes": self._size}))
            if kind not in STEPS:
                return
        if self._size + len(line) <= MAX_TAPE + _RESERVE:
            self._write(line)

    def hide(self, secrets: Iterable[str]) -> None:
        """Never write these texts in somebody else's words."""
        self._secrets |= {text for text in secrets if len(text) >= _SHORTEST}

    def hidden(self, text: str) -> str:
        """Return a text without the secrets that are known."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    def rename(self, path: Path) -> None:
        """Give the file another name, as soon as the job has a number.

        It is closed meanwhile: not every system renames what is open.
        """
        if self._file is None:
            return
        self.close()
        try:
            self.path = self.path.replace(path)
        except OSError as error:
            logger.warning("the tape %s keeps its name: %s", self.path, error)
        try:
            self._file = os.open(self.path, _APPEND)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Close the file; may be called twice."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _line(self, kind: Kind, body: Mapping[str, object]) -> bytes:
        at = time.monotonic() - self._began
        fields = {name: packed(value) for name, value in body.items()}
        line = Event(at, kind, fields).line().encode("utf-8", "replace")
        if len(line) <= MAX_LINE:
            return line
        kept: dict[str, Json] = {
            name: fields[name] for name in ("port", "key", "op") if name in fields
        }
        kept["too_long"] = {REMOVED: len(line)}
        return Event(at, kind, kept).line().encode("utf-8", "replace")

    def _write(self, line: bytes) -> None:
        if self._file is None:
            return
        try:
            self._size += os.write(self._file, line)
        except OSError as error:
            self.close()
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        logger.warning("the job is not recorded (any more): %s: %s", self.path, error)
