"""A piece of work that is killed (-9) at each point where it changes something, one after another.

The points are generated: the work is done once in a child that counts them, and then again for
each of them in a child that kills itself just before. A point is a statement that changes the
database, of any connection that is opened, or a change of a folder or a file.
"""

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_EVENTS = frozenset({"os.rename", "os.link", "os.remove", "os.chmod", "os.truncate"})
"""Of https://docs.python.org/3/library/audit_events.html; ``os.replace`` is an ``os.rename``."""

_LONG = "VACUUM"
_INSTRUCTIONS = 150
"""Of SQLite's virtual machine: after so many within a long statement there is a point, too."""

_READS = ("SELECT", "PRAGMA", "--")

Work = Callable[[Path], object]


def cut_short(
    folder: Path, prepare: Work, work: Work, most: int = 20
) -> Iterator[tuple[str, Path]]:
    """Yield a folder for each point at which the work was killed in it, and what was next there.

    Args:
        folder: Where the folders are made.
        prepare: Fills a folder once; it is copied for each point.
        work: What is killed.
        most: No more points than that: if there are more, some are left out, evenly.
    """
    begun = folder / "begun"
    begun.mkdir()
    prepare(begun)
    points = _count(shutil.copytree(begun, folder / "counted"), work)
    assert points, "nothing is changed"
    for number in sorted({1 + point * points // most for point in range(most)} | {points}):
        copy = shutil.copytree(begun, folder / f"cut-{number}")
        yield _killed(copy, work, number), copy
        shutil.rmtree(copy)


def _count(folder: Path, work: Work) -> int:
    return int(_child(lambda said: _run(folder, work, 0, said)).split("\n")[-2])


def _killed(folder: Path, work: Work, number: int) -> str:
    return _child(lambda said: _run(folder, work, number, said)).split("\n")[-2]


def _run(folder: Path, work: Work, number: int, said: int) -> None:
    """Do the work; say what is next at the point where it is killed, or how many there were."""
    points = 0

    def point(what: str) -> None:
        nonlocal points
        points += 1
        if points == number:
            os.write(said, f"{what.splitlines()[0]}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    _watch_files(point)
    _watch_statements(point)
    work(folder)
    os.write(said, f"{points}\n".encode())


def _watch_files(point: Callable[[str], None]) -> None:
    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            point(f"{event} {arguments[0]!r}")

    sys.addaudithook(hook)


def _watch_statements(point: Callable[[str], None]) -> None:
    connect = sqlite3.connect
    is_long = False

    def statement(text: str) -> None:
        nonlocal is_long
        if not text.lstrip().upper().startswith(_READS):
            is_long = text.startswith(_LONG)
            point(text)

    def within() -> None:
        if is_long:
            point("within a statement")

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(statement)
        connection.set_progress_handler(within, _INSTRUCTIONS)
        return connection

    sqlite3.connect = sqlite3.dbapi2.connect = watched  # type: ignore[assignment]


def _child(task: Callable[[int], None]) -> str:
    """Run it in a child that says something into a pipe; returns what it said."""
    hears, speaks = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            task(speaks)
        finally:
            os._exit(1)
    os.close(speaks)
    with os.fdopen(hears, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said
