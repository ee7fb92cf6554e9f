"""A USB device port and the host port that it is wired to, both of this kernel: ``dummy_hcd``.

Unlike USB/IP it carries packets, as a cable does: a transfer ends at a short packet only.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import processes
from kernel_usb import DEVICES, is_whole, settle, shell
from processes import wait_for
from technician import Workplace

from usbprov.emulation.device import UsbDevice
from usbprov.emulation.gadget import Gadget
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import AttachedDevice

GADGETS = Path("/sys/kernel/config/usb_gadget")
CONTROLLER = "dummy_udc.0"
NAME = "usbprov-1"


@contextmanager
def device_port() -> Iterator[None]:
    """Have the port within the block."""
    shell("modprobe", "dummy_hcd")
    try:
        wait_for(lambda: Path(f"/sys/class/udc/{CONTROLLER}").exists(), "the device port")
        yield
    finally:
        shell("modprobe", "--remove", "dummy_hcd")


@contextmanager
def plugged(device: UsbDevice) -> Iterator[AttachedDevice]:
    """Have an emulated device on the cable; yields what the host has found."""
    with Gadget(device, NAME, CONTROLLER):
        place = place_of(device.identity.serial)
        settle()
        found = open_bus("kernel").device_at(place)
        assert found is not None
        yield found


@contextmanager
def phone(
    workplace: Workplace, *personality: str, link: str = "bulk"
) -> Iterator[subprocess.Popen[bytes]]:
    """Have the phone of the workplace's lab on the cable, as ``usbprov lab phone`` does it."""
    workplace.variables["USBPROV_LINK"] = link
    process = start_phone(workplace, *personality)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(processes.PATIENCE) == 0


def start_phone(
    workplace: Workplace, *personality: str, program: Sequence[str] | None = None
) -> subprocess.Popen[bytes]:
    """Start the phone's process; returns when the host has the phone."""
    options = [part for name in personality for part in ("--personality", name)]
    command = ["lab", "phone", "--gadget", "--dir", str(workplace.folder / "lab"), *options]
    process = subprocess.Popen(
        [*(program or processes.PROGRAM), *command],
        stdout=subprocess.DEVNULL,
        env=workplace.environment,
    )
    try:
        place_of("EMU0001", process)
        settle()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def place_of(serial: str | None, process: subprocess.Popen[bytes] | None = None) -> str:
    """Return the port path of a device as soon as the host has all of it."""

    def look() -> str | None:
        assert process is None or process.poll() is None, "the phone's process has ended"
        return next(filter(is_whole, places(serial)), None)

    return str(wait_for(look, f"the device {serial}"))


def places(serial: str | None) -> list[str]:
    """Return where devices with that serial number are."""
    found = []
    for file in DEVICES.glob("*/serial"):
        try:
            if file.read_text().strip() == serial:
                found.append(file.parent.name)
        except OSError:  # it has just gone
            continue
    return found


def address_of(serial: str) -> int:
    """Return the bus address of a device as soon as the host has all of it."""
    return int((DEVICES / place_of(serial) / "devnum").read_text())


def pull() -> None:
    """Pull the cable at the phone's end; the phone's process goes on."""
    (GADGETS / NAME / "UDC").write_text("\n")
    wait_for(lambda: not places("EMU0001"), "the phone to be gone")


def push() -> None:
    """Put the cable back; returns when the host has the phone."""
    (GADGETS / NAME / "UDC").write_text(CONTROLLER)
    place_of("EMU0001")
    settle()


def crash(workplace: Workplace) -> None:
    """Have a phone on the cable whose process ends as a crash ends it."""
    process = start_phone(workplace, program=(sys.executable, "-m", "usbprov"))
    process.send_signal(signal.SIGKILL)
    process.wait(processes.PATIENCE)
