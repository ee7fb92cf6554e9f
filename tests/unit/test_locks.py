"""One writer a phone, across processes and users, whatever becomes of the holder."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from usbprov.errors import LocksUnusable
from usbprov.usb.locks import FileLock, Held, PhoneLocks

KEY = "port usbip://[::1]:3240/1-1.4"

HOLD = """
import sys, time
from pathlib import Path
from usbprov.usb.locks import PhoneLocks
with PhoneLocks(Path(sys.argv[1])).hold(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path, key: str = KEY) -> "subprocess.Popen[bytes]":
    """A process that holds a lock until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_holder_is_told_who_has_it(tmp_path: Path) -> None:
    locks = PhoneLocks(tmp_path / "locks")
    with locks.hold(KEY), pytest.raises(Held) as caught, locks.hold(KEY):
        pass
    assert caught.value.holder == "this usbprov"
    with locks.hold(KEY):
        pass


def test_another_process_is_named_by_its_number(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(Held) as caught, PhoneLocks(tmp_path).hold(KEY):
            pass
        assert caught.value.holder == f"another usbprov (process {process.pid})"
        with PhoneLocks(tmp_path).hold("port 1-2"):
            pass
        process.communicate()
    with PhoneLocks(tmp_path).hold(KEY):
        pass


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with PhoneLocks(tmp_path).hold(KEY):
            told = [file.read_text() for file in tmp_path.glob("*.holder")]
        assert told == [str(os.getpid())]


def test_of_many_at_once_one_holds_it(tmp_path: Path) -> None:
    start, holding, most = threading.Barrier(8), [0], [0]
    lock, refused = threading.Lock(), [0]

    def work() -> None:
        locks = PhoneLocks(tmp_path)
        start.wait()
        for _ in range(20):
            try:
                with locks.hold(KEY):
                    with lock:
                        holding[0] += 1
                        most[0] = max(most[0], holding[0])
                    with lock:
                        holding[0] -= 1
            except Held:
                with lock:
                    refused[0] += 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
    assert refused[0] > 0


def test_keys_that_look_alike_as_file_names_are_different_locks(tmp_path: Path) -> None:
    locks = PhoneLocks(tmp_path)
    with locks.hold("phone A B"), locks.hold("phone A/B"), locks.hold("x" * 500):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX's")
def test_every_user_may_use_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    with PhoneLocks(folder).hold(KEY):
        assert folder.stat().st_mode & 0o7777 == 0o1777
        modes = {file.suffix: file.stat().st_mode & 0o777 for file in folder.iterdir()}
    assert modes == {".lock": 0o666, ".holder": 0o666}


def test_a_place_that_cannot_be_used_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocksUnusable) as caught, PhoneLocks(tmp_path / "file" / "x").hold(KEY):
        pass
    assert "--lock-dir" in caught.value.remedy


def test_a_lock_can_be_given_back_twice(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()
    lock.release()
    assert lock.acquire()
    lock.release()
