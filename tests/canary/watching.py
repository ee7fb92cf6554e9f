"""Looks at a process and all its descendants from outside: their command lines and environments."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_PAUSE = 0.005
"""Seconds between two looks. What lives shorter than that is told by the spy, as it is started."""


class Watch:
    """Looks, within its block, at a process that the caller has started; Linux."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen: set[bytes] = set()
        """What command lines and environments there were."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_PAUSE):
            for pid in _family(self._pid):
                for name in ("cmdline", "environ"):
                    self.seen.add(_read(f"/proc/{pid}/{name}"))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read(str(task)).split():
            yield from _family(int(child))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:  # it has ended meanwhile
        return b""
