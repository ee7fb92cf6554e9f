"""The serial port of an emulated device: a stream, and the requests of a terminal driver."""

import struct

import pytest
from doubles.usb_device import Host, Recorder, echo, phone_like

from usbprov.emulation.cdc import CdcAcmInterface
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.usbip import TransferStatus

DATA_OUT, DATA_IN, NOTIFY = 0x02, 0x82, 0x81


@pytest.fixture
def function() -> Recorder:
    return echo()


@pytest.fixture
def port(function: Recorder) -> CdcAcmInterface:
    return CdcAcmInterface(function, name="console")


@pytest.fixture
def host(port: CdcAcmInterface) -> Host:
    return Host(UsbDevice(DeviceIdentity(0x1209, 1), [port]))


def test_each_packet_is_delivered_at_once(host: Host, function: Recorder) -> None:
    host.write(bytes(1200), DATA_OUT, ended=False)
    host.write(bytes(512), DATA_OUT, ended=False)
    assert [len(data) for data in function.received] == [512, 512, 176, 512]


def test_the_stream_comes_back(host: Host) -> None:
    host.write(b"hello\n", DATA_OUT)
    assert host.read(64, DATA_IN).data == b"hello\n"


def test_line_coding_is_kept(host: Host, port: CdcAcmInterface) -> None:
    assert host.get(0xA1, 0x21, room=7) == struct.pack("<IBBB", 115200, 0, 0, 8)
    coding = struct.pack("<IBBB", 9600, 0, 2, 7)
    assert host.control(0x21, 0x20, data=coding).status == 0
    assert host.get(0xA1, 0x21, room=7) == coding == port.line_coding


def test_control_lines_and_break_are_taken(host: Host, port: CdcAcmInterface) -> None:
    assert host.control(0x21, 0x22, 3).status == 0
    assert port.control_lines == 3
    assert host.control(0x21, 0x23, 100).status == 0


@pytest.mark.parametrize(
    ("kind", "code", "data"),
    [(0x21, 0x20, b"short"), (0x21, 0x21, b""), (0x41, 0x22, b""), (0x21, 0x77, b"")],
)
def test_nonsense_is_stalled(host: Host, kind: int, code: int, data: bytes) -> None:
    assert host.control(kind, code, data=data).status == TransferStatus.STALL


def test_notifications_never_come(host: Host) -> None:
    waiting = host.start(NOTIFY, length=16)
    host.write(b"x", DATA_OUT)
    assert host.device.cancel(waiting.urb)


def test_functions_of_one_device_do_not_mix() -> None:
    vendor, console = echo(), echo()
    host = Host(phone_like(vendor, console=console))
    host.write(b"to vendor", 0x01)
    host.write(b"to console", 0x03)
    assert host.read(64, 0x81).data == b"to vendor"
    assert host.read(64, 0x83).data == b"to console"
    assert host.control(0x41, 0x52, 0, 0).status == 0
    assert vendor.events.count("reset") == 1
    assert console.events.count("reset") == 0
