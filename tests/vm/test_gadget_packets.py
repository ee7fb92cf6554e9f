"""What a cable does that USB/IP hides: packets, and transfers that only a short one ends."""

import os
from collections.abc import Iterator
from time import monotonic

import pytest
import serial
import usb.core
import usb.util
from doubles.usb_device import Recorder, echo, phone_like
from gadget_desk import device_port, place_of, places, plugged
from kernel_usb import ttys
from processes import wait_for

from usbprov.emulation.device import UsbDevice
from usbprov.emulation.gadget_bulk import FunctionFsPort
from usbprov.errors import LinkTimeout, PhoneGone
from usbprov.usb.devices import AttachedDevice
from usbprov.usb.link import Link

SERIAL = "EMU0001"
PACKET = 512
PATIENCE = 10.0
A_WHILE = 1.0
"""Seconds that something that must not come is waited for."""
RESYNC = (0x41, 0x52, 0, 0)


@pytest.fixture(scope="module", autouse=True)
def _port() -> Iterator[None]:
    with device_port():
        yield


@pytest.fixture
def function() -> Recorder:
    return echo()


@pytest.fixture
def console() -> Recorder:
    return echo()


@pytest.fixture
def device(function: Recorder, console: Recorder) -> UsbDevice:
    return phone_like(function, serial=SERIAL, console=console)


@pytest.fixture
def found(device: UsbDevice) -> Iterator[AttachedDevice]:
    with plugged(device) as attached:
        yield attached


@pytest.fixture
def link(found: AttachedDevice) -> Iterator[Link]:
    link = found.open_bulk(found.facts.interfaces[0])
    yield link
    link.close()


@pytest.fixture
def bare(found: AttachedDevice) -> Iterator[usb.core.Device]:
    """The device by libusb alone, with nothing of ours in between."""
    device = usb.core.find(idVendor=found.facts.vendor_id, serial_number=SERIAL)
    usb.util.claim_interface(device, 0)
    yield device
    usb.util.dispose_resources(device)


def endpoints(device: usb.core.Device) -> tuple[int, int]:
    """Return the addresses of the bulk pair: the gadget's kernel has chosen them."""
    pair = sorted(e.bEndpointAddress for e in device.get_active_configuration()[0, 0])
    return pair[0], pair[1]


@pytest.mark.parametrize("size", [1, 511, 512, 513, 1024, 4096, 16384, 16385, 65536])
def test_messages_of_every_size_pass_both_ways(link: Link, function: Recorder, size: int) -> None:
    data = os.urandom(size)
    link.write(data, PATIENCE)
    begun = monotonic()
    got = link.read(PATIENCE)
    while len(got) < size:  # what is longer than one read of the link comes in several
        got += link.read(PATIENCE)
    assert got == data
    assert monotonic() - begun < PATIENCE / 2, "a read was ended by its time limit"
    assert function.received == [data]


def test_whole_packets_alone_are_not_delivered(bare: usb.core.Device, function: Recorder) -> None:
    out, into = endpoints(bare)
    bare.write(out, bytes(PACKET))
    with pytest.raises(usb.core.USBTimeoutError):
        bare.read(into, 16384, int(A_WHILE * 1000))
    assert not function.received
    bare.write(out, b"")
    assert bare.read(into, 16384, 5000).tobytes() == bytes(PACKET)
    assert function.received == [bytes(PACKET)]


def test_whole_packets_alone_end_a_read_by_its_time_limit_only(
    monkeypatch: pytest.MonkeyPatch, device: UsbDevice
) -> None:
    monkeypatch.setattr(FunctionFsPort, "_packet_size", lambda port: 1 << 20)  # never a last one
    with plugged(device) as found:
        link = found.open_bulk(found.facts.interfaces[0])
        try:
            link.write(bytes(PACKET), PATIENCE)
            begun = monotonic()
            assert link.read(A_WHILE) == bytes(PACKET)
            assert monotonic() - begun >= A_WHILE
        finally:
            link.close()


def test_resync_takes_back_what_is_under_way(bare: usb.core.Device, function: Recorder) -> None:
    out, into = endpoints(bare)
    function.answer = lambda data: None
    bare.write(out, bytes(PACKET))  # half a transfer
    for _ in range(3):
        function.send(b"old")
    bare.ctrl_transfer(*RESYNC)
    assert "reset" in function.events
    with pytest.raises(usb.core.USBTimeoutError):
        bare.read(into, 16384, int(A_WHILE * 1000))
    bare.write(out, b"new")
    assert function.wait_for(lambda: function.received == [b"new"])
    function.send(b"answer")
    assert bare.read(into, 16384, 5000).tobytes() == b"answer"


@pytest.mark.parametrize("kind", [0x41, 0xC1])
def test_unknown_requests_are_stalled(bare: usb.core.Device, kind: int) -> None:
    with pytest.raises(usb.core.USBError) as refused:
        bare.ctrl_transfer(kind, 0x51, 0, 0, 0)
    assert refused.value.errno == 32
    bare.ctrl_transfer(*RESYNC)


def test_windows_finds_its_driver(bare: usb.core.Device) -> None:
    sign = bare.ctrl_transfer(0x80, 6, 0x03EE, 0, 18).tobytes()
    assert sign[2:16] == "MSFT100".encode("utf-16-le")
    compatible = bare.ctrl_transfer(0xC0, sign[16], 0, 4, 40).tobytes()
    assert b"WINUSB" in compatible
    properties = bare.ctrl_transfer(0xC1, sign[16], 0, 5, 512).tobytes()
    assert "DeviceInterfaceGUID\0".encode("utf-16-le") in properties


def test_the_serial_port_carries_every_byte(found: AttachedDevice, console: Recorder) -> None:
    every = bytes(range(256)) * 8
    (path,) = ttys(found.facts.port_path)
    with serial.Serial(path, timeout=10, exclusive=True) as port:
        port.write(every)
        assert port.read(len(every)) == every


def test_leaving_and_coming_back(
    device: UsbDevice, found: AttachedDevice, link: Link, function: Recorder, console: Recorder
) -> None:
    link.write(b"once", PATIENCE)
    assert link.read(PATIENCE) == b"once"
    device.unplug()
    wait_for(lambda: not places(SERIAL), "the device to be gone")
    with pytest.raises(PhoneGone):
        link.read(PATIENCE)
    assert function.wait_for(lambda: function.events[-1] == "reset")
    device.plug()
    place = place_of(SERIAL)
    assert function.wait_for(lambda: function.events[-1] == "connect")
    assert console.wait_for(lambda: console.events.count("connect") > 1)
    with serial.Serial(ttys(place)[0], timeout=10) as port:
        port.write(b"again")
        assert port.read(5) == b"again"


def test_a_function_that_crashes_is_mute_and_no_more(link: Link, function: Recorder) -> None:
    def crash(data: bytes) -> bytes:
        if data == b"harmful":
            raise RuntimeError
        return data

    function.answer = crash
    link.write(b"harmful", PATIENCE)
    with pytest.raises(LinkTimeout):
        link.read(A_WHILE)
    link.resync()
    link.write(b"harmless", PATIENCE)
    assert link.read(PATIENCE) == b"harmless"
