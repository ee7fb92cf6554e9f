"""How a phone of this family is recognised on USB (PROTOCOL.md 6.1)."""

from usbprov.usb.matching import UsbMatch

INTERFACE_CLASS = 0xFF
INTERFACE_SUBCLASS = 0x05
INTERFACE_PROTOCOL = 0x50
INTERFACE_NAME = "usbprov SMP"
"""The interface string, of either interface; the numbers and this must agree."""

BULK = UsbMatch(
    interface=(INTERFACE_CLASS, INTERFACE_SUBCLASS, INTERFACE_PROTOCOL),
    interface_name=INTERFACE_NAME,
)
CONSOLE = UsbMatch(interface=(0x02, 0x02, 0x00), interface_name=INTERFACE_NAME)
"""CDC-ACM without a protocol (USB CDC 1.2, PSTN 1.2)."""
LINE = UsbMatch(serial_line=True)

MATCHES = (BULK, CONSOLE, LINE)

TEST_VENDOR_ID = 0x1209
TEST_PRODUCT_ID = 0x0001
"""pid.codes' test id, of the emulated phone only; no phone is recognised by it."""
