"""``usbprov bench run`` as a process: what it shows is read, its buttons pressed; it is killed."""

import http.client
import json
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from board_client import link_in, session
from processes import PATIENCE, STARTED, own_environment

View = dict[str, Any]
DONE, FAILED = "done: unplug", "failed"
_NOT_HERE = (ConnectionError, http.client.HTTPException, TimeoutError)

_LAST_WORDS = 8
"""Lines of standard error that are told of a program that ended badly."""


@dataclass
class Shown:
    """What the program has shown in all its runs.

    Attributes:
        steps: How many steps it has begun.
        done: The views of phones that may be unplugged.
        failed: The views of phones that failed, each once.
        traces: Lines of standard error that tell of a bug.
    """

    steps: int = 0
    done: list[View] = field(default_factory=list)
    failed: list[View] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)


class Program:
    """One run of the program; a context manager."""

    def __init__(self, command: list[str], folder: Path, shown: Shown) -> None:
        self.shown = shown
        self.steps = 0
        self.summary: View | None = None
        self._ports: dict[str, View] = {}
        self._board: _Board | None = None
        self._changed = threading.Condition(threading.RLock())
        self._ended = False
        self._process = subprocess.Popen(
            [*STARTED, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=own_environment(folder),
        )
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, take), daemon=True)
            for pipe, take in (
                (self._process.stdout, self._take),
                (self._process.stderr, self._said),
            )
        ]
        self._words: list[str] = []
        self._log = (folder / "program.log").open("ab")

    def __enter__(self) -> Self:
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def runs(self) -> bool:
        """Whether it has not ended, and all that it has shown is not read yet."""
        return not self._ended

    def kill(self) -> None:
        """Kill it (-9), unless it has ended, and read what is left."""
        self._process.kill()
        self.wait(PATIENCE)

    def wait(self, seconds: float) -> int:
        """Wait for its end, and read what is left; returns its exit code."""
        code = self._process.wait(seconds)
        for reader in self._readers:
            reader.join(seconds)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._log.close()
        return code

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until what is shown fulfils a condition, or it ends; says whether it did."""
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._ended, seconds)
            return condition()

    def press_retry(self, *, hasty: bool) -> None:
        """Press `retry` once where a phone has failed; if hasty, too, where it is tried again."""
        if self._board is None:
            return
        with self._changed:
            ports = [view for view in self._ports.values() if view["trouble"]]
            troubled = [view for view in ports if hasty or view["state"] == FAILED]
            for view in troubled:
                self._ports[view["label"]] = view | {"trouble": None}
        for view in troubled:
            self._board.order("retry", view["label"])

    def ending(self) -> str:
        """Wait for its end; says what is wrong with that, or nothing."""
        if self.runs:
            return f"the program has not ended: {self._left()}"
        code = self.wait(PATIENCE)
        if code != 0 or self.summary is None or self.summary["outcome"] != "done":
            return f"the program has ended with {code}, {self.summary}: {self._left()}"
        return ""

    def _left(self) -> str:
        """Say what it said to standard error, and of the ports that are not done."""
        with self._changed:
            ports = [view for view in self._ports.values() if not view["may_unplug"]]
            told = [f"{v['label']} {v['serial']} {v['state']} {v['step']}" for v in ports]
        return "; ".join([*told, *self._words[-_LAST_WORDS:]])

    # --- what it says

    def _read(self, pipe: IO[bytes], take: Callable[[bytes], None]) -> None:
        for line in pipe:
            with self._changed:
                if line.endswith(b"\n"):  # a line that was begun when it was killed says nothing
                    take(line)
                self._changed.notify_all()
        with self._changed:
            self._ended |= pipe is self._process.stdout
            self._changed.notify_all()

    def _take(self, line: bytes) -> None:
        view = json.loads(line)
        if view["view"] == "summary":
            self.summary = view
        if view["view"] != "port":
            return
        before = self._ports.get(view["label"])
        self._ports[view["label"]] = view
        if view["step"] and (before is None or view["step"] != before["step"]):
            self.steps += 1
            self.shown.steps += 1
        if view["state"] == DONE:
            self.shown.done.append(view)
        if view["state"] == FAILED and (before is None or before["state"] != FAILED):
            self.shown.failed.append(view)

    def _said(self, line: bytes) -> None:
        words = line.decode()
        self._words.append(words.strip())
        self._log.write(line)
        if link := link_in(words):
            self._board = _Board(*link)
        if words.startswith("Traceback"):
            self.shown.traces.append(words)


class _Board:
    """The web board's buttons."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token
        self._headers: dict[str, str] = {}

    def order(self, order: str, of: str) -> None:
        """Press a button; a program that has ended meanwhile takes no notice."""
        try:
            self._order({"order": order, "of": of})
        except _NOT_HERE:
            return

    def _order(self, order: dict[str, str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        with closing(connection):
            if not self._headers:
                _, self._headers = session(connection, self._token)
            connection.request("POST", "/order", json.dumps(order), self._headers)
            json.loads(connection.getresponse().read())
