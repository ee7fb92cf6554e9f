"""What a process costs at a moment, as Linux tells it, and how the bench stands."""

import contextlib
import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_FIELDS_BEFORE_CPU = 11
"""Of /proc/PID/stat, from the state on: utime and stime follow (proc(5))."""


@dataclass(frozen=True)
class Sample:
    """The bench at a moment.

    Attributes:
        seconds: Since the soak began.
        rss_kib: Memory of the process that is in RAM.
        handles: Open file descriptors.
        threads: Of the process.
        cpu_seconds: Used so far, user and system.
        database_kib: The ledger's file with its journal.
        phones: Fresh phones that were plugged in so far.
        done: Of them, those that were shown as done.
        failed: Those that failed for good.
        pulled: Pulled early and put back.
        occupied: Ports with a phone in them now.
        working: Ports that are in a working state now.
        oldest_seconds: How long nothing has changed at the port where that is longest.
        oldest: That port and its state.
        ledger_handles: Those of the open handles that are the ledger's files.
    """

    seconds: float
    rss_kib: int
    handles: int
    threads: int
    cpu_seconds: float
    database_kib: int
    phones: int
    done: int
    failed: int
    pulled: int
    occupied: int
    working: int
    oldest_seconds: float
    oldest: str
    ledger_handles: int = 0


@dataclass(frozen=True)
class Cost:
    """What Linux says of a process."""

    rss_kib: int
    handles: int
    ledger_handles: int
    threads: int
    cpu_seconds: float


def cost_of(pid: int, ledger: Path) -> Cost:
    """Read /proc of a process that runs and has a ledger.

    Raises:
        OSError: It has ended.
    """
    of = Path("/proc") / str(pid)
    files = list(_open_files(of / "fd"))
    status = dict(line.split(":", 1) for line in (of / "status").read_text().splitlines())
    return Cost(
        rss_kib=int(status["VmRSS"].split()[0]),
        handles=len(files),
        ledger_handles=sum(file.startswith(str(ledger.absolute())) for file in files),
        threads=int(status["Threads"]),
        cpu_seconds=cpu_seconds(pid),
    )


def _open_files(of: Path) -> Iterator[str]:
    for handle in of.iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed just now
            yield str(handle.readlink())


def cpu_seconds(pid: int) -> float:
    """Return what a process has used, user and system. Raises ``OSError`` as ``cost_of``."""
    words = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[_FIELDS_BEFORE_CPU : _FIELDS_BEFORE_CPU + 2])) / _TICKS


def size_kib(database: Path) -> int:
    """Return the size of a SQLite database with its journal."""
    files = database.parent.glob(f"{database.name}*")
    return sum(file.stat().st_size for file in files) // 1024


class Record:
    """The samples, each written to a CSV file the moment it is taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.samples: list[Sample] = []
        with path.open("w", newline="") as file:
            csv.writer(file).writerow(field.name for field in fields(Sample))

    def add(self, sample: Sample) -> None:
        """Keep a sample."""
        self.samples.append(sample)
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow(asdict(sample).values())


def read(lines: Iterable[str]) -> list[Sample]:
    """Read the lines of such a file back; older ones may lack the last columns."""
    kinds = {field.name: field.type for field in fields(Sample)}
    made = {"int": int, "float": float, "str": str}
    return [
        Sample(
            **{
                name: made[kind if isinstance(kind, str) else kind.__name__](row[name])
                for name, kind in kinds.items()
                if name in row
            }
        )
        for row in csv.DictReader(lines)
    ]
