"""Which processes hold a device node, or have a given name; from /proc.

Where there is no /proc (macOS, Windows) nobody is found.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

_LOCK = re.compile(r"\d+:\s+FLOCK\s+\S+\s+\S+\s+(\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s")
"""A line of /proc/locks (proc(5)): process, then major and minor (hex) and inode of the file."""


@dataclass(frozen=True, order=True)
class Holder:
    """A process.

    Attributes:
        pid: Its number.
        name: Its name as the kernel has it: at most 15 characters; "?" where it has none.
    """

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def holders_of(node: str, proc: Path = PROC) -> tuple[Holder, ...]:
    """Return the other processes that have a device node open, by their numbers.

    Without root only one's own processes can be looked into, and those of others that took an
    advisory lock on the node, as pyserial does for ``exclusive=True``: so nobody found does not
    mean that nobody holds it.

    Args:
        node: ``/dev/bus/usb/001/004``, ``/dev/ttyACM0``, or a link to such a node.
        proc: Where procfs is.
    """
    path = Path(node)
    try:
        names = {str(path), str(path.resolve())}
    except (OSError, RuntimeError):  # a loop of links
        names = {str(path)}
    this = _this_process(proc)
    found = {pid for pid in _pids(proc) if pid != this and _has_open(proc / str(pid), names)}
    found |= _lockers(path, proc) - {this}
    return tuple(Holder(pid, _name(proc / str(pid))) for pid in sorted(found))


def processes_named(name: str, proc: Path = PROC) -> tuple[Holder, ...]:
    """Return the processes of this name, by their numbers; any user may look for them."""
    return tuple(
        Holder(pid, name) for pid in sorted(_pids(proc)) if _name(proc / str(pid)) == name[:15]
    )


def _this_process(proc: Path) -> int:
    try:
        return int(proc.joinpath("self").readlink().name)
    except (OSError, ValueError):
        return 0


def _pids(proc: Path) -> Iterator[int]:
    try:
        entries = list(proc.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.isascii() and entry.name.isdigit():
            yield int(entry.name)


def _has_open(process: Path, names: set[str]) -> bool:
    try:
        return any(_target(link) in names for link in process.joinpath("fd").iterdir())
    except OSError:  # it has ended, or is somebody else's
        return False


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _lockers(node: Path, proc: Path) -> set[int]:
    """Return who has locked the node with flock(2); /proc/locks tells that to everybody."""
    try:
        wanted = node.stat()
        lines = proc.joinpath("locks").read_text("ascii", "replace")
    except OSError:
        return set()
    return {
        int(pid)
        for pid, major, minor, inode in _LOCK.findall(lines)
        if int(inode) == wanted.st_ino and _device(int(major, 16), int(minor, 16)) == wanted.st_dev
    }


def _device(major: int, minor: int) -> int:
    if sys.platform == "win32":
        return 0
    else:  # noqa: RET505  (so that mypy sees which platform has it)
        return os.makedev(major, minor)


def _name(process: Path) -> str:
    try:
        return process.joinpath("comm").read_text("utf-8", "replace").strip() or "?"
    except OSError:
        return "?"
