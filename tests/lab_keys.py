"""Keys and certificates of a lab, made once a process.

Making five RSA keys takes longer than all else that a lab does to start.
"""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path


@functools.cache
def _authority() -> Path:
    from usbprov.lab.assembly import server_names
    from usbprov.lab.authority import open_authority
    from usbprov.lab.users import DEFAULT_USERS

    folder = Path(tempfile.mkdtemp(prefix="usbprov-lab-authority-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    open_authority(folder / "authority", server_names("localhost", DEFAULT_USERS))
    return folder / "authority"


def seed(folder: Path) -> Path:
    """Give a lab's folder ready-made keys."""
    if not (folder / "authority").exists():
        shutil.copytree(_authority(), folder / "authority")
    return folder
