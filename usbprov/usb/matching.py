"""By what a family's phones are recognised: rows of a table, from which all else is derived.

``recognises``, the lists of ``usbprov drivers`` and the udev rules read the same rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from usbprov.usb.devices import DeviceFacts, InterfaceFacts


@dataclass(frozen=True)
class UsbMatch:
    """One row: a device is recognised when everything that is given here fits.

    Attributes:
        interface: bInterfaceClass, bInterfaceSubClass and bInterfaceProtocol of one interface.
        interface_name: The string of that same interface, whole.
        vendor_id: idVendor.
        product_id: idProduct.
        manufacturer: Pattern of the manufacturer string, as of a shell, case ignored.
        product: Pattern of the product string, likewise.
        model: The model that such a device is, for people; "" where it says it itself.
        serial_line: A serial line that is no USB function and that the user named.
    """

    interface: tuple[int, int, int] | None = None
    interface_name: str | None = None
    vendor_id: int | None = None
    product_id: int | None = None
    manufacturer: str | None = None
    product: str | None = None
    model: str = ""
    serial_line: bool = False

    def fits(self, facts: DeviceFacts) -> bool:
        """Say whether the device is one of these; nothing is sent to it to find out."""
        if self.serial_line:
            return any(port.interface is None for port in facts.serial_ports)
        return (
            self.vendor_id in {None, facts.vendor_id}
            and self.product_id in {None, facts.product_id}
            and _like(facts.manufacturer, self.manufacturer)
            and _like(facts.product, self.product)
            and (self.interface is None or self.interface_of(facts) is not None)
        )

    def interface_of(self, facts: DeviceFacts) -> InterfaceFacts | None:
        """Return the device's interface that has this row's numbers and string, or None.

        A string that could not be read at all, because the device could not be opened, is let
        pass: opening it then says why. Nothing is sent to such a device.
        """
        return next((i for i in facts.interfaces if self._is(i, facts)), None)

    def row(self) -> Mapping[str, str]:
        """Return what is given, in words, for ``usbprov drivers``."""
        words = {
            "interface": "/".join(f"{n:02x}" for n in self.interface or ()),
            "string": self.interface_name,
            "vendor": None if self.vendor_id is None else f"{self.vendor_id:04x}",
            "product id": None if self.product_id is None else f"{self.product_id:04x}",
            "manufacturer": self.manufacturer,
            "product": self.product,
            "model": self.model,
            "line": "named by the user" if self.serial_line else None,
        }
        return {name: word for name, word in words.items() if word}

    def _is(self, interface: InterfaceFacts, facts: DeviceFacts) -> bool:
        if (interface.cls, interface.subclass, interface.protocol) != self.interface:
            return False
        unreadable = interface.name is None and facts.problem is not None
        return unreadable or self.interface_name in {None, interface.name}


def _like(text: str | None, pattern: str | None) -> bool:
    return pattern is None or fnmatchcase((text or "").lower(), pattern.lower())
