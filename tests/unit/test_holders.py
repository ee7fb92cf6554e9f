"""Who holds a device node, from a made-up /proc and the real one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from usbprov.usb.holders import Holder, holders_of, processes_named

linux = pytest.mark.skipif(sys.platform != "linux", reason="the real /proc")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    root = tmp_path / "proc"
    for pid, name, held in (
        (7, "ModemManager", ["/dev/ttyACM0", "/dev/null"]),
        (12, "bash", ["/dev/pts/0"]),
        (300, "minicom", ["socket:[4]", "/dev/ttyACM0"]),
    ):
        fds = root / str(pid) / "fd"
        fds.mkdir(parents=True)
        (root / str(pid) / "comm").write_text(f"{name}\n")
        for number, target in enumerate(held):
            (fds / str(number)).symlink_to(target)
    (root / "sys").mkdir()
    return root


def test_processes_that_have_the_node_open(proc: Path) -> None:
    holders = holders_of("/dev/ttyACM0", proc)
    assert holders == (Holder(7, "ModemManager"), Holder(300, "minicom"))
    assert str(holders[0]) == "ModemManager (process 7)"
    assert holders_of("/dev/ttyACM1", proc) == ()


def test_this_process_is_not_told(proc: Path) -> None:
    (proc / "self").symlink_to("300")
    assert holders_of("/dev/ttyACM0", proc) == (Holder(7, "ModemManager"),)


def test_a_link_to_the_node_means_the_node(proc: Path, tmp_path: Path) -> None:
    node, link = tmp_path / "ttyACM7", tmp_path / "by-id"
    node.touch()
    link.symlink_to(node)
    (proc / "12" / "fd" / "9").symlink_to(node)
    assert holders_of(str(link), proc) == (Holder(12, "bash"),)


def test_a_process_that_may_not_be_looked_into_or_has_ended(proc: Path) -> None:
    (proc / "8").mkdir()
    (proc / "9").write_text("not even a folder")
    (proc / "300" / "comm").unlink()
    assert holders_of("/dev/ttyACM0", proc)[-1] == Holder(300, "?")


def test_a_lock_tells_who_has_it_though_its_files_are_not_seen(proc: Path, tmp_path: Path) -> None:
    node = tmp_path / "ttyACM9"
    node.touch()
    facts = node.stat()
    device = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}"
    (proc / "locks").write_text(
        f"1: FLOCK  ADVISORY  WRITE 12 {device}:{facts.st_ino} 0 EOF\n"
        f"2: POSIX  ADVISORY  WRITE 7 {device}:{facts.st_ino} 0 EOF\n"
        f"3: FLOCK  ADVISORY  WRITE 300 {device}:{facts.st_ino + 1} 0 EOF\n"
        "what is this\n"
    )
    assert holders_of(str(node), proc) == (Holder(12, "bash"),)


def test_a_loop_of_links_is_held_by_nobody(proc: Path, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert holders_of(str(tmp_path / "a"), proc) == ()


def test_without_proc_nobody_is_found(tmp_path: Path) -> None:
    assert holders_of("/dev/ttyACM0", tmp_path / "none") == ()
    assert processes_named("ModemManager", tmp_path / "none") == ()


def test_processes_by_name(proc: Path) -> None:
    assert processes_named("ModemManager", proc) == (Holder(7, "ModemManager"),)
    assert processes_named("Modem", proc) == ()


def test_the_kernel_cuts_names_off_after_fifteen_characters(proc: Path) -> None:
    (proc / "12" / "comm").write_text("a-name-of-so-ma\n")
    assert processes_named("a-name-of-so-many-characters", proc)[0].pid == 12


@linux
def test_the_real_proc_tells_who_has_a_file() -> None:
    with Path("/dev/null").open("rb") as null:
        child = subprocess.Popen(["sleep", "60"], stdin=null)
    try:
        assert child.pid in {holder.pid for holder in holders_of("/dev/null")}
        assert os.getpid() not in {holder.pid for holder in holders_of("/dev/null")}
    finally:
        child.kill()
        child.wait()
