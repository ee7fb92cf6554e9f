"""What becomes of a ledger on a real disk that is full, and then read-only: run in a mount
namespace of its own, with the mount point of a small tmpfs as its argument.

Prints a word for each thing that is as it must be.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from jobs import NEW

from usbprov.errors import LedgerFull, LedgerReadOnly
from usbprov.ledger import room
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState

room.ROOM = 0  # the disk itself is to say that it is full
disk = Path(sys.argv[1])
path, filler = disk / "ledger.sqlite3", disk / "filler"


def leave(free: int) -> None:
    """Fill the disk but for so many bytes."""
    filler.unlink(missing_ok=True)
    found = os.statvfs(disk)
    filler.write_bytes(bytes(max(found.f_bavail * found.f_frsize - free, 0)))


def write_until_full(ledger: Ledger) -> int:
    """Write job after job; returns how many writes were confirmed."""
    confirmed = 0
    for number in range(1000):
        try:
            job = ledger.open_job(NEW).id
            confirmed += 1
            ledger.keep(job, ArtifactKind.CERTIFICATE, bytes([number % 256]) * 3000)
            confirmed += 1
            ledger.finish(job, JobState.DONE)
            confirmed += 1
        except LedgerFull:
            return confirmed
    raise AssertionError("the disk is never full")


written = 0
for pages in range(0, 60, 4):  # it is full at one write after the other
    with Ledger(path) as ledger:
        ledger.jobs()
        leave(pages * 4096)
        written += write_until_full(ledger)
        assert ledger.verify().entries == written, (pages, ledger.verify().entries, written)
    filler.unlink()
with Ledger(path) as ledger:
    ledger.open_job(NEW)
    before = ledger.verify()
    assert before.entries == written + 1
sys.stdout.write("full" + "\n")

subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
for place in (path, disk / "new" / "ledger.sqlite3"):
    with Ledger(place) as ledger:
        try:
            ledger.open_job(NEW)
        except LedgerReadOnly:
            continue
        raise AssertionError(place)
sys.stdout.write("read-only" + "\n")

subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
with Ledger(path) as ledger:
    assert ledger.verify(before.head).entries == before.entries
sys.stdout.write("whole" + "\n")
