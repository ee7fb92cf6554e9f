"""The kernel's USB gadgets as files: making one, putting it on a port, taking it away. Linux only.

Linux, Documentation/usb/gadget_configfs.rst. Needs root.
"""

import contextlib
import ctypes
import errno
import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from usbprov.emulation.descriptors import MS_VENDOR_CODE, US_ENGLISH, DeviceIdentity
from usbprov.errors import GadgetUnusable

assert sys.platform == "linux"  # noqa: S101 - so that mypy takes the rest for no other

logger = logging.getLogger(__name__)

_CONFIGFS = Path("/sys/kernel/config")
_GADGETS = _CONFIGFS / "usb_gadget"
_CONTROLLERS = Path("/sys/class/udc")
_MOUNTS = Path("/run/usbprov-gadgets")
_MODULES = ("libcomposite", "usb_f_fs", "usb_f_acm")
_CONFIGURATION = "configs/c.1"
_LANGUAGE = f"strings/{US_ENGLISH:#x}"
_DETACH = 2
"""MNT_DETACH of umount2(2)."""


@dataclass(frozen=True)
class FunctionSlot:
    """A function of the gadget.

    Attributes:
        name: Kind and instance: ``ffs.usbprov-1-0``, ``acm.usbprov-1-1``.
        mount: Where its FunctionFS is to be mounted, or None.
    """

    name: str
    mount: Path | None = None


def ready() -> None:
    """Make sure that gadgets can be made, as far as root can do so.

    Raises:
        GadgetUnusable: They cannot; it says what is to be done.
    """
    if os.geteuid() != 0:
        raise GadgetUnusable("only root may make a USB gadget", "Repeat with sudo")
    if not _GADGETS.is_dir():
        _load_modules()
    if not _GADGETS.is_dir():
        with contextlib.suppress(OSError):
            _mount("none", _CONFIGFS, "configfs")
    if not _GADGETS.is_dir():
        raise GadgetUnusable(
            "the kernel has no USB gadgets (no /sys/kernel/config/usb_gadget)",
            "Run `modprobe libcomposite` and `mount -t configfs none /sys/kernel/config`; where "
            "there is no such module, use a kernel that has it",
        )


def choose_controller(name: str | None) -> str:
    """Return the USB device controller of that name, or the only one that there is.

    Raises:
        GadgetUnusable: There is none, or none of that name, or several and no name is given.
    """
    found = sorted(path.name for path in _CONTROLLERS.glob("*"))
    if not found:
        raise GadgetUnusable(
            "there is no USB device controller (/sys/class/udc is empty)",
            "Use a board whose port can be a device, and switch it to that: on a Raspberry Pi "
            "with `dtoverlay=dwc2` in config.txt and a restart",
        )
    if name in found:
        return str(name)
    if name is None and len(found) == 1:
        return found[0]
    wrong = f"no USB device controller {name!r}" if name else "several USB device controllers"
    raise GadgetUnusable(wrong, f"Name one of: {', '.join(found)}")


class ConfigfsGadget:
    """One gadget in configfs; the name is its folder's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._path = _GADGETS / name
        self._mounts = _MOUNTS / name

    def slot(self, kind: str, number: int) -> FunctionSlot:
        """Name function ``number``, of the kernel's ``kind``: ``ffs`` or ``acm``."""
        instance = f"{self.name}-{number}"
        mount = self._mounts / str(number) if kind == "ffs" else None
        return FunctionSlot(f"{kind}.{instance}", mount)

    def make(self, identity: DeviceIdentity, device_class: tuple[int, int, int]) -> None:
        """Make the gadget, without functions; what an earlier run left is removed first.

        Raises:
            GadgetUnusable: The leftovers cannot be removed.
            OSError: The kernel refuses.
        """
        self.remove()
        self._path.mkdir()
        strings = {
            "manufacturer": identity.manufacturer,
            "product": identity.product,
            "serialnumber": identity.serial,
        }
        self._write_all("", _numbers(identity, device_class))
        self._folder(_LANGUAGE)
        self._write_all(_LANGUAGE, {name: text for name, text in strings.items() if text})
        self._folder(_CONFIGURATION)
        # A board that is fed through this very port needs more than the 100 mA of a default.
        self._write_all(_CONFIGURATION, {"bmAttributes": "0x80", "MaxPower": "500"})
        microsoft = {"use": "1", "b_vendor_code": f"{MS_VENDOR_CODE:#x}", "qw_sign": "MSFT100"}
        self._write_all("os_desc", microsoft)
        (self._path / "os_desc/c.1").symlink_to(self._path / _CONFIGURATION)
        with contextlib.suppress(OSError):  # older kernels have no choice
            self._write("max_speed", "high-speed")  # FunctionFS is told of no faster endpoints

    def add(self, slot: FunctionSlot) -> None:
        """Add a function, after those that were added before, and mount its FunctionFS.

        Raises:
            GadgetUnusable: The kernel has no such function.
            OSError: The kernel refuses.
        """
        try:
            self._folder(f"functions/{slot.name}")
        except FileNotFoundError:
            module = "usb_f_" + slot.name.partition(".")[0].replace("ffs", "fs")
            raise GadgetUnusable(
                f"the kernel has no function {slot.name.partition('.')[0]}",
                f"Run `modprobe {module}`; where there is no such module, use a kernel that has it",
            ) from None
        if slot.mount is not None:
            slot.mount.mkdir(parents=True, exist_ok=True, mode=0o700)
            _mount(slot.name.partition(".")[2], slot.mount, "functionfs")
        link = self._path / _CONFIGURATION / slot.name
        link.symlink_to(self._path / "functions" / slot.name)

    def terminal(self, slot: FunctionSlot) -> Path:
        """Return the terminal of an ``acm`` function on this side."""
        number = (self._path / "functions" / slot.name / "port_num").read_text().strip()
        return Path(f"/dev/ttyGS{number}")

    def plug(self, controller: str) -> None:
        """Put the gadget on a port.

        Raises:
            GadgetUnusable: The port has another gadget, or cannot be this one.
        """
        try:
            self._write("UDC", controller)
        except OSError as error:
            raise self._refusal(controller, error) from None

    def unplug(self) -> None:
        """Take the gadget off its port; nothing happens when it is on none."""
        with contextlib.suppress(OSError):
            self._write("UDC", "\n")

    def remove(self) -> None:
        """Remove everything that there is of the gadget, in the order that the kernel wants.

        Raises:
            GadgetUnusable: Something cannot be removed.
        """
        try:
            self._unmount()
            if self._path.is_dir():
                self._dismantle()
        except OSError as error:
            raise GadgetUnusable(
                f"the gadget {self.name} cannot be removed ({error.strerror}: {error.filename})",
                "End the program that uses it, or restart the board",
            ) from None

    def _dismantle(self) -> None:
        self.unplug()
        for link in (*self._path.glob("configs/*/*.*"), *self._path.glob("os_desc/*.*")):
            if link.is_symlink():
                link.unlink()
        for pattern in ("configs/*/strings/*", "configs/*", "functions/*", "strings/*"):
            for folder in self._path.glob(pattern):
                folder.rmdir()
        self._path.rmdir()

    def _unmount(self) -> None:
        if not self._mounts.is_dir():
            return
        for folder in sorted(self._mounts.iterdir()):
            while os.path.ismount(folder):
                _unmount(folder)
            folder.rmdir()
        self._mounts.rmdir()
        with contextlib.suppress(OSError):  # others have theirs in it
            _MOUNTS.rmdir()

    def _refusal(self, controller: str, error: OSError) -> GadgetUnusable:
        if error.errno != errno.EBUSY:
            return GadgetUnusable(
                f"the controller {controller} does not take it ({error.strerror})",
                "See what the kernel says: `dmesg`",
            )
        return GadgetUnusable(
            f"the controller {controller} has {_holder(controller)} already",
            "End the program that put it there, or write an empty line to its UDC file",
        )

    def _folder(self, relative: str) -> None:
        (self._path / relative).mkdir()

    def _write_all(self, folder: str, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self._write(f"{folder}/{name}" if folder else name, value)

    def _write(self, relative: str, value: str) -> None:
        (self._path / relative).write_text(value)


@contextlib.contextmanager
def one_process(name: str) -> Iterator[None]:
    """Keep every other process from having the gadget ``name`` within the block.

    Raises:
        GadgetUnusable: Another process has it.
    """
    # An abstract name ends with the process, however that ends.
    with socket.socket(socket.AF_UNIX) as held:
        try:
            held.bind(f"\0usbprov-gadget/{name}")
        except OSError:
            raise GadgetUnusable(
                f"another process has the gadget {name}", "End it, or give another --index"
            ) from None
        yield


def _numbers(identity: DeviceIdentity, device_class: tuple[int, int, int]) -> dict[str, str]:
    numbers = {
        "idVendor": identity.vendor_id,
        "idProduct": identity.product_id,
        "bcdDevice": identity.release,
        "bDeviceClass": device_class[0],
        "bDeviceSubClass": device_class[1],
        "bDeviceProtocol": device_class[2],
    }
    return {name: f"{number:#06x}" for name, number in numbers.items()}


def _load_modules() -> None:
    modprobe = shutil.which("modprobe", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if modprobe is None:
        return
    ended = subprocess.run(  # noqa: S603 - the system's own program
        [modprobe, "--all", *_MODULES], capture_output=True, check=False, timeout=30
    )
    logger.debug("modprobe: exit code %d", ended.returncode)


def _holder(controller: str) -> str:
    for gadget in _GADGETS.glob("*"):
        with contextlib.suppress(OSError):
            if (gadget / "UDC").read_text().strip() == controller:
                return f"the gadget {gadget.name}"
    return "another gadget"


def _mount(source: str, target: Path, kind: str) -> None:
    arguments = (source.encode(), os.fsencode(target), kind.encode(), 0, None)
    _check(ctypes.CDLL(None, use_errno=True).mount(*arguments), target)


def _unmount(target: Path) -> None:
    _check(ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(target), _DETACH), target)


def _check(result: int, target: Path) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))
