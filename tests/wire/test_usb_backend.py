"""Our backends under pyusb's own interface: what any pyusb program expects of one."""

import array
import errno
import gc

import pytest
import usb.core
import usb.util
from usb_support import Phone, Rig, Way, both_ways, phone

from usbprov.emulation.cdc import CdcAcmInterface
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.usb.transfers import Transfer

OUT, IN = 0x01, 0x81


@pytest.fixture
def rig(way: Way):
    with way({"1-1.4.2": phone()}) as made:
        yield made


@both_ways
class TestPlace:
    def test_bus_ports_and_speed(self, rig: Rig):
        device = rig.device
        assert (device.bus, device.port_number, device.port_numbers) == (1, 2, (1, 4, 2))
        assert device.speed == usb.util.SPEED_HIGH
        assert device.address > 1
        assert device.parent is None

    def test_addresses_are_unique(self, way: Way):
        with way({f"1-{n}": phone(n) for n in range(1, 6)}) as rig:
            found = list(usb.core.find(find_all=True, backend=rig.backend))
        assert len({device.address for device in found}) == 5

    def test_find_by_its_fields(self, rig: Rig):
        assert usb.core.find(backend=rig.backend, idVendor=0x1209, bcdDevice=0x0100) is not None
        assert usb.core.find(backend=rig.backend, idVendor=0x1210) is None


@both_ways
class TestDescriptors:
    def test_device(self, rig: Rig):
        device = rig.device
        assert (device.bLength, device.bDescriptorType, device.bcdUSB) == (18, 1, 0x0210)
        assert device.bMaxPacketSize0 == 64
        assert device.bNumConfigurations == 1

    def test_tree(self, rig: Rig):
        (configuration,) = rig.device.configurations()
        (interface,) = configuration.interfaces()
        assert (interface.bInterfaceNumber, interface.bInterfaceClass) == (0, 0xFF)
        assert [(e.bEndpointAddress, e.bmAttributes, e.wMaxPacketSize) for e in interface] == [
            (OUT, 2, 512),
            (IN, 2, 512),
        ]
        assert rig.phone_at("1-1.4.2").device.configuration == 0

    def test_shown(self, rig: Rig):
        text = str(rig.device)
        assert "EMU0001" in text
        assert "ENDPOINT 0x81: Bulk IN" in text

    def test_strings(self, rig: Rig):
        device = rig.device
        assert (device.manufacturer, device.product) == ("usbprov", "EP-100")
        assert device.langids == (0x0409,)

    def test_class_specific_descriptors_are_kept(self, way: Way):
        with way({"1-1": composite()}) as rig:
            interface = rig.device[0][(1, 0)]
            assert bytes(interface.extra_descriptors)[:3] == b"\x05\x24\x00"


@both_ways
class TestConfiguration:
    def test_first_one_is_set_where_there_is_none(self, rig: Rig):
        assert rig.device.get_active_configuration().bConfigurationValue == 1
        assert rig.phone_at("1-1.4.2").device.configuration == 1

    def test_set(self, rig: Rig):
        device = rig.device
        device.set_configuration(1)
        device.write(OUT, b"x", 500)
        assert bytes(device.read(IN, 512, 500)) == b"x"

    def test_cannot_be_changed_while_an_interface_is_claimed(self, rig: Rig):
        device = rig.device
        usb.util.claim_interface(device, 0)
        with pytest.raises(usb.core.USBError) as caught:
            device.set_configuration(1)
        assert caught.value.errno == errno.EBUSY
        usb.util.release_interface(device, 0)
        device.set_configuration(1)

    def test_that_does_not_exist(self, rig: Rig):
        with pytest.raises(ValueError, match="Invalid configuration"):
            rig.device.set_configuration(7)

    def test_claim_of_an_interface_that_does_not_exist(self, rig: Rig):
        with pytest.raises(usb.core.USBError) as caught:
            usb.util.claim_interface(rig.device, 3)
        assert caught.value.errno == errno.ENOENT

    def test_alternate_setting(self, rig: Rig):
        device = rig.device
        device.set_interface_altsetting(0, 0)
        device.write(OUT, b"x", 500)
        assert bytes(device.read(IN, 512, 500)) == b"x"

    def test_reset_keeps_the_configuration(self, rig: Rig):
        device = rig.device
        device.write(OUT, b"old", 500)
        device.reset()
        with pytest.raises(usb.core.USBTimeoutError):
            device.read(IN, 512, 50)
        device.write(OUT, b"new", 500)
        assert bytes(device.read(IN, 512, 500)) == b"new"

    def test_forgotten_device_is_given_back(self, rig: Rig):
        device = usb.core.find(backend=rig.backend)
        device.write(OUT, b"x", 500)
        del device
        gc.collect()
        assert rig.bus.devices()[0].facts.problem is None

    def test_closed_device_is_given_back(self, rig: Rig):
        device = rig.device
        device.write(OUT, b"x", 500)
        usb.util.dispose_resources(device)
        assert rig.phone_at("1-1.4.2").device.configuration == 0


@both_ways
class TestTransfers:
    def test_into_a_buffer_of_the_caller(self, rig: Rig):
        device = rig.device
        device.write(OUT, b"hello", 500)
        buffer = array.array("B", bytes(512))
        assert device.read(IN, buffer, 500) == 5
        assert bytes(buffer[:6]) == b"hello\0"

    def test_into_a_buffer_of_words(self, rig: Rig):
        device = rig.device
        device.write(OUT, b"hello!!!", 500)
        buffer = array.array("H", bytes(512))
        assert device.read(IN, buffer, 500) == 8
        assert buffer.tobytes()[:8] == b"hello!!!"

    def test_control_without_data(self, rig: Rig):
        device = rig.device
        device.get_active_configuration()
        assert device.ctrl_transfer(0x41, 0x52, 0, 0) == 0

    def test_control_both_ways(self, way: Way):
        coding = bytes.fromhex("0084030000000008")[:7]
        with way({"1-1": composite()}) as rig:
            device = rig.device
            assert device.ctrl_transfer(0x21, 0x20, 0, 1, coding) == 7
            assert bytes(device.ctrl_transfer(0xA1, 0x21, 0, 1, 7)) == coding

    def test_interrupt(self, way: Way):
        with way({"1-1": composite()}) as rig:
            device = rig.device
            asked = watch(rig, device)
            endpoint = device[0][(1, 0)][0]
            assert usb.util.endpoint_type(endpoint.bmAttributes) == usb.util.ENDPOINT_TYPE_INTR
            with pytest.raises(usb.core.USBTimeoutError):
                device.read(endpoint, 16, 30)
        assert asked[-1].endpoint == endpoint.bEndpointAddress
        # At high speed bInterval is an exponent (USB 2.0, table 9-13).
        assert asked[-1].interval == 1 << (endpoint.bInterval - 1)

    def test_isochronous_is_not_implemented(self, rig: Rig):
        with pytest.raises(NotImplementedError):
            rig.backend.iso_read(None, IN, 0, array.array("B"), 1)
        with pytest.raises(NotImplementedError):
            rig.backend.iso_write(None, OUT, 0, array.array("B"), 1)

    def test_no_kernel_driver(self, rig: Rig):
        device = rig.device
        assert device.is_kernel_driver_active(0) is False
        device.detach_kernel_driver(0)
        device.attach_kernel_driver(0)


def composite() -> Phone:
    base = phone()
    console = CdcAcmInterface(phone().echo, name="console")
    from usbprov.emulation.vendor import VendorBulkInterface

    vendor = VendorBulkInterface(base.echo, name="provisioning", subclass=0x55, protocol=1)
    return Phone(UsbDevice(DeviceIdentity(0x1209, 2), [vendor, console]), base.echo)


def watch(rig: Rig, device: usb.core.Device) -> list[Transfer]:
    """Note every transfer that the backend asks for on the open device."""
    device.get_active_configuration()
    session = device._ctx.handle.session
    asked: list[Transfer] = []
    do = session.transfer

    def transfer(what: Transfer, timeout: float | None):
        asked.append(what)
        return do(what, timeout)

    session.transfer = transfer
    return asked
