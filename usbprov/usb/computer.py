"""This computer as its checks look at it: everything below one root, so that it can be made up."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_MOST = 1 << 20
"""Bytes of a file that are read."""


@dataclass(frozen=True)
class Group:
    """A line of /etc/group (group(5))."""

    name: str
    gid: int
    members: frozenset[str]


@dataclass(frozen=True)
class Computer:
    """A computer and the session that asks.

    Attributes:
        uid: The user's number.
        gids: The groups of this session, which may lag behind /etc/group.
        environment: The environment variables.
        root: Where the system's files begin.
        may_open: Says whether this user may read and write a device node.
    """

    uid: int
    gids: frozenset[int]
    environment: Mapping[str, str]
    root: Path = Path("/")
    may_open: Callable[[Path], bool] = field(
        default=lambda node: os.access(node, os.R_OK | os.W_OK)
    )

    @classmethod
    def here(cls) -> "Computer":
        """Return this computer and this session."""
        if sys.platform == "win32":
            return cls(0, frozenset(), os.environ)
        else:  # noqa: RET505  (so that mypy sees which platform has it)
            return cls(os.geteuid(), frozenset({*os.getgroups(), os.getegid()}), os.environ)

    @property
    def is_root(self) -> bool:
        """Whether the user may do everything."""
        return self.uid == 0

    def path(self, name: str) -> Path:
        """Return where a file of the system is: ``proc/modules``."""
        return self.root / name

    def text(self, name: str) -> str | None:
        """Return a file of the system; None where it is not there or may not be read."""
        try:
            with self.path(name).open("rb") as file:
                return file.read(_MOST).decode("utf-8", "replace")
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        """Return a file of the system that holds a number."""
        try:
            return int(self.text(name) or "")
        except ValueError:
            return None

    def user(self) -> str:
        """Return the user's name, or the number where /etc/passwd does not know it."""
        for name, uid in self._columns("etc/passwd", 0, 2):
            if uid == str(self.uid):
                return name
        return self.environment.get("USER") or str(self.uid)

    def group(self, name: str) -> Group | None:
        """Return a group of /etc/group."""
        for found, gid, members in self._columns("etc/group", 0, 2, 3):
            if found == name and gid.isdigit():
                return Group(name, int(gid), frozenset(members.split(",")))
        return None

    def seat(self) -> str | None:
        """Return the seat at which this user sits, as systemd-logind or elogind says.

        It is what udev's builtin ``uaccess`` goes by; the user may be logged in elsewhere as well.
        """
        try:
            seats = sorted(self.path("run/systemd/seats").iterdir())
        except OSError:
            return None
        for seat in seats:
            lines = (self.text(f"run/systemd/seats/{seat.name}") or "").splitlines()
            if f"ACTIVE_UID={self.uid}" in lines:
                return seat.name
        return None

    def container(self) -> str | None:
        """Return what kind of container this is, ``wsl`` included; None for none."""
        told = (self.text("run/systemd/container") or "").strip()
        if told:
            return told
        for file, kind in _CONTAINER_FILES.items():
            if self.path(file).exists():
                return kind
        for file, word, kind in _CONTAINER_WORDS:
            if word in (self.text(file) or "").lower():
                return kind
        return None

    def _columns(self, file: str, *wanted: int) -> Iterator[tuple[str, ...]]:
        for line in (self.text(file) or "").splitlines():
            columns = line.split(":")
            if len(columns) > max(wanted):
                yield tuple(columns[column] for column in wanted)


_CONTAINER_FILES: Mapping[str, str] = {"run/.containerenv": "podman", ".dockerenv": "docker"}
_CONTAINER_WORDS = (
    ("proc/1/environ", "container=lxc", "lxc"),
    ("proc/1/cgroup", "/docker/", "docker"),
    ("proc/1/cgroup", "/libpod", "podman"),
    ("proc/1/cgroup", "/kubepods", "kubernetes"),
    ("proc/1/cgroup", "/lxc", "lxc"),
    ("proc/sys/kernel/osrelease", "microsoft", "wsl"),
)
"""Where a word betrays a container: systemd-detect-virt(1) goes by the same signs."""
