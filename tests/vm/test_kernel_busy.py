"""Another program has the phone: it is named, and ModemManager is waited for."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kernel_usb import Desk, node, ttys
from technician import Workplace

HOLD_PORT = """
import fcntl, os, sys, termios, time
port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
fcntl.flock(port, fcntl.LOCK_EX)
fcntl.ioctl(port, termios.TIOCEXCL)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""
HOLD_DEVICE = """
import fcntl, os, struct, sys, time
USBDEVFS_CLAIMINTERFACE = 0x8004550F
device = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(device, USBDEVFS_CLAIMINTERFACE, struct.pack("=I", 0))
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextmanager
def held(folder: Path, name: str, program: str, path: str, seconds: float) -> Iterator[int]:
    """Have a process of that name hold something; yields its number."""
    (folder / name).symlink_to(Path(sys.executable).resolve())
    command = [str(folder / name), "-I", "-S", "-c", program, path, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        try:
            yield holder.pid
        finally:
            holder.kill()


@pytest.mark.parametrize(
    ("link", "program"), [("serial", HOLD_PORT), ("bulk", HOLD_DEVICE)], ids=["serial", "bulk"]
)
def test_the_program_that_holds_it_is_named(
    workplace: Workplace, desk: Desk, tmp_path: Path, link: str, program: str
) -> None:
    workplace.plug(1)
    (place,) = desk.plug("1-1")
    path = ttys(place)[0] if link == "serial" else str(node(place))
    workplace.variables["USBPROV_LINK"] = link
    with held(tmp_path, "greedy", program, path, 600) as pid:
        refused = workplace.run("info")
    assert refused.code == 3
    assert "USB-05" in refused.err
    assert f"greedy (process {pid})" in refused.err
    assert workplace.run("info").code == 0


def test_modem_manager_is_waited_for(workplace: Workplace, desk: Desk, tmp_path: Path) -> None:
    workplace.plug(1)
    (place,) = desk.plug("1-1")
    workplace.variables["USBPROV_LINK"] = "serial"
    began = time.monotonic()
    with held(tmp_path, "ModemManager", HOLD_PORT, ttys(place)[0], 10):
        ended = workplace.run("info", "--json")
    assert ended.code == 0, ended.err
    assert ended.document["serial"] == "EMU0001"
    assert time.monotonic() - began > 10
    assert "ModemManager" in ended.err
