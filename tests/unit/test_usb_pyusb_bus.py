"""The bus over any pyusb backend."""

import errno
from types import SimpleNamespace

import pytest
import usb.backend
import usb.core

from usbprov.errors import BusUnavailable
from usbprov.usb.pyusb_bus import PyusbBus

DEVICE = {
    "bLength": 18,
    "bDescriptorType": 1,
    "bcdUSB": 0x200,
    "bDeviceClass": 0,
    "bDeviceSubClass": 0,
    "bDeviceProtocol": 0,
    "bMaxPacketSize0": 64,
    "idVendor": 0x1209,
    "idProduct": 1,
    "bcdDevice": 0x100,
    "iManufacturer": 0,
    "iProduct": 0,
    "iSerialNumber": 3,
    "bNumConfigurations": 1,
    "address": 2,
    "bus": 1,
    "port_number": 1,
    "port_numbers": (1,),
    "speed": 3,
}


class Backend(usb.backend.IBackend):
    """Gives the device descriptors that it is made with; nothing can be opened."""

    def __init__(self, *found: object) -> None:
        self.found = found

    def enumerate_devices(self):
        if self.found and isinstance(self.found[0], OSError):
            raise self.found[0]
        return iter(self.found)

    def get_device_descriptor(self, dev):
        if isinstance(dev, Exception):
            raise dev
        return SimpleNamespace(**(DEVICE | dev))

    def get_configuration_descriptor(self, dev, config):
        raise usb.core.USBError("Input/Output Error", None, errno.EIO)

    def open_device(self, dev):
        raise usb.core.USBError("Access denied", -3, errno.EACCES)


def listed(*found: object):
    return [device.facts for device in PyusbBus("kernel", Backend(*found)).devices()]


def test_device_that_may_not_be_opened():
    (facts,) = listed({})
    assert (facts.port_path, facts.vendor_id, facts.serial) == ("1-1", 0x1209, None)
    assert facts.problem == "no permission to open it"


def test_hubs_and_what_has_no_port_are_left_out():
    root = {"port_numbers": None}
    hub = {"bDeviceClass": 9, "port_numbers": (3,)}
    assert [f.port_path for f in listed(root, hub, {"port_numbers": (3, 1)})] == ["1-3.1"]


def test_device_of_which_nothing_is_known_does_not_stop_the_rest():
    assert [f.port_path for f in listed(ValueError("odd"), {})] == ["1-1"]


def test_backend_fails():
    with pytest.raises(BusUnavailable) as caught:
        listed(usb.core.USBError("Other error", -99, None))
    assert (caught.value.bus, caught.value.reason) == ("kernel", "Other error")
