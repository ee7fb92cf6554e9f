"""Emulated phones of the ``smp`` family: USB devices with the real firmware model inside."""

from collections.abc import Mapping

from usbprov.emulation.cdc import CdcAcmInterface
from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov_drivers.smp import identity
from usbprov_drivers.smp.factory import factory_state, fit
from usbprov_drivers.smp.firmware import Firmware
from usbprov_drivers.smp.model import Model
from usbprov_drivers.smp.personality import OPTIONS, make_up
from usbprov_drivers.smp.ports import ConsolePort, RawPort
from usbprov_drivers.smp.store import Store

_MAC_PREFIX = bytes.fromhex("02005e")
"""Locally administered, so never that of a real device."""

_RELEASE = 0x0100
"""bcdDevice: 1.00, the firmware's version."""


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
        firmware = boot(spec)
        model = firmware.model
        who = DeviceIdentity(
            vendor_id=identity.TEST_VENDOR_ID,
            product_id=identity.TEST_PRODUCT_ID,
            manufacturer=model.vendor,
            product=model.name,
            serial=model.serial,
            release=_RELEASE,
        )
        bulk = VendorBulkInterface(
            RawPort(firmware),
            name=identity.INTERFACE_NAME,
            subclass=identity.INTERFACE_SUBCLASS,
            protocol=identity.INTERFACE_PROTOCOL,
        )
        console = CdcAcmInterface(ConsolePort(firmware), name=f"{model.name} console")
        return UsbDevice(who, (bulk, console))


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
