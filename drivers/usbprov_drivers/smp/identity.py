"""How a phone of this family is recognised on USB (PROTOCOL.md 6.1)."""

from usbprov.usb.devices import DeviceFacts, InterfaceFacts

INTERFACE_CLASS = 0xFF
INTERFACE_SUBCLASS = 0x05
INTERFACE_PROTOCOL = 0x50
INTERFACE_NAME = "usbprov SMP"
"""The interface string; class, subclass, protocol and this must all agree."""

TEST_VENDOR_ID = 0x1209
TEST_PRODUCT_ID = 0x0001
"""pid.codes' test id, of the emulated phone only; no phone is recognised by it."""


def smp_interface(facts: DeviceFacts) -> InterfaceFacts | None:
    """Return the device's interface that speaks this protocol, or None.

    A string that could not be read at all, because the device could not be opened, is let pass:
    opening it then says why. Nothing is sent to such a device.
    """
    return next((i for i in facts.interfaces if _fits(i, facts)), None)


def _fits(interface: InterfaceFacts, facts: DeviceFacts) -> bool:
    numbers = (interface.cls, interface.subclass, interface.protocol)
    if numbers != (INTERFACE_CLASS, INTERFACE_SUBCLASS, INTERFACE_PROTOCOL):
        return False
    unreadable = interface.name is None and facts.problem is not None
    return unreadable or interface.name == INTERFACE_NAME
