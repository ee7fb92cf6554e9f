"""The locks where the platform, or the user, is another."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from usbprov.errors import LocksUnusable
from usbprov.usb import locks
from usbprov.usb.locks import Held, PhoneLocks, default_folder

NO_POSIX = Path(__file__).parents[1] / "doubles" / "no_posix"

TRY = """
import sys
from pathlib import Path
from usbprov.usb.locks import Held, PhoneLocks
try:
    with PhoneLocks(Path(sys.argv[1])).hold("port 1-1"):
        print("held")
except Held as held:
    print(held.holder)
"""


def tried_without_posix(folder: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", TRY, str(folder)],
        env=os.environ | {"PYTHONPATH": str(NO_POSIX)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ended.stdout.strip()


def test_a_program_without_posix_is_kept_out(tmp_path: Path) -> None:
    with PhoneLocks(tmp_path).hold("port 1-1"):
        assert tried_without_posix(tmp_path) == f"another usbprov (process {os.getpid()})"
    assert tried_without_posix(tmp_path) == "held"


def test_as_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "fchmod")  # there is none before Python 3.13
    monkeypatch.setattr(locks, "_NO_LINK", 0)
    with PhoneLocks(tmp_path / "C").hold("port usbip://127.0.0.1:3240/1-1"):
        assert not [
            file for file in (tmp_path / "C").iterdir() if set(file.name) & set('<>:"/\\|?*')
        ]
        with (
            pytest.raises(Held),
            PhoneLocks(tmp_path / "C").hold("port usbip://127.0.0.1:3240/1-1"),
        ):
            pass


def test_the_place_is_the_same_for_every_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(locks, "_LOCKS", tmp_path)
    tmp_path.chmod(0o755)  # root might write there, and nobody else
    assert default_folder() == locks._TEMPORARY / "usbprov"
    tmp_path.chmod(0o1777)
    assert default_folder() == tmp_path / "usbprov"


def test_a_link_that_somebody_put_there_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    folder = tmp_path / "locks"
    with PhoneLocks(folder).hold("port 1-1"):
        pass
    (note,) = folder.glob("*.holder")
    note.unlink()
    note.symlink_to(precious)
    with PhoneLocks(folder).hold("port 1-1"):
        pass
    assert precious.read_text() == "keep me"


def test_many_make_the_folder_at_once(tmp_path: Path) -> None:
    failures = []
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        try:
            with PhoneLocks(tmp_path / "a" / "b").hold(f"port 1-{number}"):
                pass
        except LocksUnusable as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
