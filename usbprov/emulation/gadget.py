"""Puts an emulated device on the USB device port of this computer, so on a real cable. Linux only.

The device model serves as the plan and as the cable: its functions are joined to the kernel's
gadget, and ``UsbDevice.unplug`` and ``plug`` take the gadget off its port and put it back. The
kernel answers the standard requests, so ``UsbDevice.faults`` has no effect here.
"""

import contextlib
import logging
import sys
from types import TracebackType
from typing import Self

from usbprov.emulation import gadget_bulk, gadget_configfs, gadget_serial
from usbprov.emulation.cdc import COMMUNICATION_CLASS
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.interface import EmulatedInterface
from usbprov.errors import GadgetUnusable

assert sys.platform == "linux"  # noqa: S101 - so that mypy takes the rest for no other

logger = logging.getLogger(__name__)


class Gadget:
    """A device on a USB device controller, from ``__enter__`` to ``__exit__``.

    Vendor interfaces go through FunctionFS; a serial port is the kernel's ``acm`` function, whose
    interface string and bInterfaceProtocol (1) are the kernel's.

    Attributes:
        name: Of the gadget's folder in configfs.
        controller: The USB device controller (UDC).
    """

    def __init__(self, device: UsbDevice, name: str, controller: str | None = None) -> None:
        """Choose the port; nothing is changed yet.

        Args:
            device: The device.
            name: For the gadget, this computer's only one of the name.
            controller: The USB device controller; may be left out where there is one only.

        Raises:
            GadgetUnusable: This computer has no such port, or cannot use it.
        """
        gadget_configfs.ready()
        self.name = name
        self.controller = gadget_configfs.choose_controller(controller)
        self._device = device
        self._gadget = gadget_configfs.ConfigfsGadget(name)
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Make the gadget and, if the device is plugged in, put it on the port.

        Raises:
            GadgetUnusable: It cannot be made.
        """
        with contextlib.ExitStack() as undo:
            undo.enter_context(gadget_configfs.one_process(self.name))
            try:
                self._make(undo)
            except OSError as error:
                raise GadgetUnusable(
                    f"the kernel refuses it ({error})", "See what the kernel says: `dmesg`"
                ) from None
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undo.close()

    def _make(self, undo: contextlib.ExitStack) -> None:
        undo.callback(self._gadget.remove)
        self._gadget.make(self._device.identity, self._device.descriptors.device_class)
        for number, interface in enumerate(self._device.interfaces):
            undo.callback(self._join(interface, number).close)
        # Before the ports close: a terminal that is on the bus waits for its host first.
        undo.callback(self._gadget.unplug)
        undo.callback(self._device.watch(self._moved))
        if self._device.plugged:
            self._gadget.plug(self.controller)

    def _join(
        self, interface: EmulatedInterface, number: int
    ) -> gadget_bulk.FunctionFsPort | gadget_serial.TtyPort:
        is_serial = interface.specs[0].cls == COMMUNICATION_CLASS
        slot = self._gadget.slot("acm" if is_serial else "ffs", number)
        self._gadget.add(slot)
        if slot.mount is None:
            return gadget_serial.TtyPort(interface.function, self._gadget.terminal(slot))
        return gadget_bulk.FunctionFsPort(interface, slot.mount)

    def _moved(self, plugged: bool) -> None:
        if not plugged:
            self._gadget.unplug()
            return
        try:
            self._gadget.plug(self.controller)
        except GadgetUnusable as error:
            logger.warning("%s", error)


_Port = gadget_bulk.FunctionFsPort | gadget_serial.TtyPort
