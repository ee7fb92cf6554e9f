"""Where tapes are kept: a folder beside the ledger, one file for each run of a job."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from usbprov.errors import NothingRecorded

KEPT = 200
"""How many tapes are kept; the oldest go."""

_STAMP = "%Y%m%dT%H%M%S%f"

_NAME = re.compile(r"(?:job-(?P<job>\d{1,18})-)?(?P<stamp>\d{8}T\d{12})-\d+\.jsonl", re.ASCII)


def tape_folder(ledger: Path) -> Path:
    """Return the folder of the tapes of a ledger's jobs."""
    return ledger.with_name(f"{ledger.name}.tapes")


@dataclass(frozen=True)
class KeptTape:
    """A tape in the folder; ``job`` is None for a run that ended before it had a number."""

    path: Path
    job: int | None
    stamp: str


class TapeFolder:
    """The tapes beside one ledger."""

    def __init__(self, ledger: Path) -> None:
        self.path = tape_folder(ledger)

    def new(self) -> Path:
        """Return a name for the tape of a run that begins, and throw the oldest tapes away."""
        for old in self.tapes()[KEPT - 1 :]:
            with suppress(OSError):
                old.path.unlink()
        return self.path / f"{datetime.now(UTC):{_STAMP}}-{os.getpid()}.jsonl"

    def tapes(self) -> list[KeptTape]:
        """Return what is there, the newest first."""
        return sorted(self._found(), key=lambda tape: tape.stamp, reverse=True)

    def before(self, moment: datetime) -> list[KeptTape]:
        """Return those of runs that began before a moment."""
        stamp = f"{moment.astimezone(UTC):{_STAMP}}"
        return [tape for tape in self._found() if tape.stamp < stamp]

    def of_job(self, job: int) -> KeptTape:
        """Return the tape of a job's last run.

        Raises:
            NothingRecorded: There is none.
        """
        found = next((tape for tape in self.tapes() if tape.job == job), None)
        if found is None:
            raise NothingRecorded(f"job {job}")
        return found

    def _found(self) -> Iterator[KeptTape]:
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in self.path.iterdir():
                match = _NAME.fullmatch(path.name)
                if match:
                    job = match["job"]
                    yield KeptTape(path, int(job) if job else None, match["stamp"])


def name_with_job(path: Path, job: int) -> Path:
    """Return the name of a tape once its job has a number."""
    return path.with_name(f"job-{job}-{path.name}") if path.name[0].isdigit() else path
