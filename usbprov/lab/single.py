"""One emulated phone on a cable of its own: a USB device port, or a pseudo-terminal.

The lab's phones sit together on one USB/IP exporter (``usbprov.lab.phones``). A phone from here is
alone, and a real host, or a real serial program, sees it without USB/IP.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.interface import EmulatedInterface
from usbprov.emulation.registry import emulators
from usbprov.errors import GadgetUnusable, LabUnusable
from usbprov.lab.files import private_folder
from usbprov.lab.layout import Layout
from usbprov.lab.lock import FolderLock
from usbprov.lab.phones import MAX_PHONES, choose_family
from usbprov.pki.certificates import load_pem_certificates, to_der


@dataclass(frozen=True)
class SingleOptions:
    """Which phone there shall be.

    Attributes:
        folder: A lab's folder, whose root the phone then trusts when it leaves the factory; or
            any other one, and it trusts nobody.
        index: From 1; gives serial number, MAC and state file.
        family: The family's name; may be left out where one family only is installed.
        personality: Options of the family.
    """

    folder: Path
    index: int = 1
    family: str | None = None
    personality: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SingleFacts:
    """Where the phone is.

    Attributes:
        serial: Its USB serial number.
        bus: What ``--bus`` takes on this computer to find it; None for one that another
            computer sees.
        path: The pseudo-terminal, for a phone that has one.
        gadget: Name of the USB gadget, for a phone that is one.
        controller: The USB device controller (UDC) that it is on.
    """

    serial: str | None
    bus: str | None = None
    path: str | None = None
    gadget: str | None = None
    controller: str | None = None

    def row(self) -> dict[str, object]:
        """Return the fields by name."""
        return asdict(self)


@contextlib.contextmanager
def serve_gadget(options: SingleOptions, controller: str | None = None) -> Iterator[SingleFacts]:
    """Have the phone on this computer's USB device port within the block.

    Args:
        options: Which phone.
        controller: The USB device controller; may be left out where there is one only.

    Raises:
        LabUnusable: The phone cannot be made.
        GadgetUnusable: This computer has no such port, or cannot use it.
    """
    if sys.platform == "linux":
        from usbprov.emulation.gadget import Gadget  # noqa: PLC0415  # for no other platform

        name = f"usbprov-{options.index}"
        with made_phone(options) as device, Gadget(device, name, controller) as gadget:
            yield SingleFacts(
                device.identity.serial, gadget=gadget.name, controller=gadget.controller
            )
    else:
        raise GadgetUnusable("this is not Linux", "Use a board that runs Linux")


@contextlib.contextmanager
def serve_pty(options: SingleOptions, link_name: Path | None = None) -> Iterator[SingleFacts]:
    """Have the phone's serial port on a pseudo-terminal within the block.

    When the phone restarts, its terminal goes, and another one comes, maybe of another name.

    Args:
        options: Which phone.
        link_name: A symbolic link to the terminal of the day, removed when there is none.

    Raises:
        LabUnusable: The phone cannot be made, or has no serial port, or there is something else
            under the link's name.
    """
    with made_phone(options) as device, contextlib.closing(_Terminal(device, link_name)) as there:
        yield SingleFacts(device.identity.serial, bus=f"tty:{there.path}", path=there.path)


class _Terminal:
    """A phone's serial port as a pseudo-terminal, while the phone is plugged in.

    Attributes:
        path: Where it is found: the link's name, else the terminal's at first.
    """

    def __init__(self, device: UsbDevice, link_name: Path | None) -> None:
        self._function = _serial_port(device).function
        self._link_name = link_name
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._closed = False
        self.path = self._open()
        self._unwatch = device.watch(self._plugged)

    def close(self) -> None:
        """Hang up; may be called twice."""
        self._unwatch()
        with self._lock:
            self._closed = True
            self._stack.close()

    def _plugged(self, plugged: bool) -> None:
        with self._lock:
            self._stack.close()
            if plugged and not self._closed:
                self._open()

    def _open(self) -> str:
        from usbprov.emulation.pty import PtyPort  # noqa: PLC0415  # not there on every platform

        with contextlib.ExitStack() as stack:
            port = stack.enter_context(PtyPort(self._function))
            path = stack.enter_context(_link(self._link_name, port.path))
            self._stack = stack.pop_all()
        return path


@contextlib.contextmanager
def made_phone(options: SingleOptions) -> Iterator[UsbDevice]:
    """Have the phone, or have it back from its state file, within the block.

    Raises:
        LabUnusable: The index is out of range, phones of this folder run already, or the family
            does not take the personality.
    """
    if not 1 <= options.index <= MAX_PHONES:
        raise LabUnusable(f"a phone's number is 1 to {MAX_PHONES}")
    emulator = choose_family(emulators(), options.family)
    layout = Layout(private_folder(options.folder))
    states = private_folder(layout.phones)
    lock = FolderLock(layout.phones_lock, "another process with the phones")
    lock.acquire()
    try:
        state = states / f"{options.index:03}.state"
        yield emulator.make(PhoneSpec(options.index, state, _roots(layout), options.personality))
    finally:
        lock.release()


def _roots(layout: Layout) -> tuple[bytes, ...]:
    try:
        return tuple(map(to_der, load_pem_certificates(layout.root_ca.read_bytes())))
    except OSError:
        return ()


def _serial_port(device: UsbDevice) -> EmulatedInterface:
    found = next((i for i in device.interfaces if i.streaming), None)
    if found is None:
        raise LabUnusable("this phone has no serial port")
    return found


@contextlib.contextmanager
def _link(name: Path | None, target: str) -> Iterator[str]:
    """Have a symbolic link to the terminal; one that an earlier run left is replaced."""
    if name is None:
        yield target
        return
    try:
        if name.is_symlink():
            name.unlink()
        name.symlink_to(target)
    except OSError as error:
        raise LabUnusable(f"link {name}: {error.strerror}") from None
    try:
        yield str(name)
    finally:
        name.unlink(missing_ok=True)
