"""Room for what a step will have to say, made sure of before the step is begun.

A step whose result cannot be written down has been done in vain, or worse: the server would be
asked again for an answer that it has given already.
"""

import shutil
from pathlib import Path

from usbprov.errors import LedgerFull

ROOM = 2 << 20
"""Bytes that must be free. A choice: the steps that 64 phones may have under way at once end in
some 200 pages each of the write-ahead log and of the file, and others use the disk, too."""


def check_room(path: Path) -> None:
    """Refuse to go on where the disk of a file has less than ``ROOM`` left for this user.

    Raises:
        LedgerFull: It has less.
        OSError: The file's folder is not there.
    """
    free = shutil.disk_usage(path.parent).free
    if free < ROOM:
        raise LedgerFull(str(path), f"{free} bytes are free on its disk, {ROOM} are needed")
