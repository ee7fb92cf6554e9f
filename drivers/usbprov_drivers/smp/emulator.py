"""Emulated phones of the ``smp`` family: USB devices with the real firmware model inside."""

import threading
import time
from collections.abc import Callable, Mapping

from usbprov.emulation.cdc import CdcAcmInterface
from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.interface import EmulatedInterface
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov_drivers.smp import identity
from usbprov_drivers.smp.factory import factory_state, fit
from usbprov_drivers.smp.firmware import Firmware
from usbprov_drivers.smp.model import Cable, Model
from usbprov_drivers.smp.personality import OPTIONS, make_up
from usbprov_drivers.smp.ports import ConsolePort, RawPort
from usbprov_drivers.smp.store import Store

_MAC_PREFIX = bytes.fromhex("02005e")
"""Locally administered, so never that of a real device."""

_RELEASE = 0x0100
"""bcdDevice: 1.00, the firmware's version."""

_LAST_WORDS = 0.3
"""Seconds between the response to a reset and the restart, in which the host reads it."""

_AWAY = 1.0
"""Seconds that a phone that restarts is off the bus."""


class SmpEmulator:
    """The family's entry in the emulator registry (``usbprov.emulation.contract.Emulator``)."""

    family = "smp"

    @property
    def personalities(self) -> Mapping[str, str]:
        """What may be odd about a phone, by name."""
        return {name: option.about for name, option in OPTIONS.items()}

    def make(self, spec: PhoneSpec) -> UsbDevice:
        """Make a phone, or bring one back as its state file left it.

        Raises:
            LabUnusable: The personality or the state file cannot be used.
        """
        return device_around(boot(spec))


def device_around(firmware: Firmware) -> UsbDevice:
    """Give a firmware that was started its body: the USB device that a host sees."""
    model = firmware.model
    who = DeviceIdentity(
        vendor_id=identity.TEST_VENDOR_ID,
        product_id=identity.TEST_PRODUCT_ID,
        manufacturer=model.vendor,
        product=model.name,
        serial=model.serial,
        release=_RELEASE,
    )
    interfaces = [make(firmware) for cable, make in _CABLES.items() if cable in model.cables]
    device = UsbDevice(who, interfaces)
    firmware.reboot = _Reboot(firmware, device).begin
    return device


def _bulk(firmware: Firmware) -> EmulatedInterface:
    return VendorBulkInterface(
        RawPort(firmware),
        name=identity.INTERFACE_NAME,
        subclass=identity.INTERFACE_SUBCLASS,
        protocol=identity.INTERFACE_PROTOCOL,
    )


def _serial(firmware: Firmware) -> EmulatedInterface:
    return CdcAcmInterface(ConsolePort(firmware), name=identity.INTERFACE_NAME)


_CABLES: Mapping[Cable, Callable[[Firmware], EmulatedInterface]] = {
    Cable.BULK: _bulk,
    Cable.SERIAL: _serial,
}
"""The phone's interfaces, in the order of its descriptors."""


class _Reboot:
    """A restart as USB sees it: the phone leaves the bus, and comes back after a while."""

    def __init__(self, firmware: Firmware, device: UsbDevice) -> None:
        self._firmware = firmware
        self._device = device

    def begin(self) -> None:
        """Restart soon: the response to what asked for it is still on its way."""
        name = f"{self._firmware.model.serial}-reboot"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        time.sleep(_LAST_WORDS)
        was_plugged = self._device.plugged
        self._device.unplug()
        self._firmware.restart()
        time.sleep(_AWAY)
        if was_plugged:
            self._device.plug()


def boot(spec: PhoneSpec) -> Firmware:
    """Start the firmware of a phone, without a cable.

    Raises:
        LabUnusable: The personality or the state file cannot be used.
    """
    mac = _MAC_PREFIX + spec.index.to_bytes(3)
    makeup = make_up(Model(f"EMU{spec.index:04d}", mac), spec.personality)
    store = Store(spec.state, lambda: factory_state(makeup, spec.roots))
    if len(store.state.slots) < makeup.model.slots:
        store.update(fit(store.state, makeup.model.slots))
    return Firmware(makeup.model, store)


EMULATOR = SmpEmulator()
