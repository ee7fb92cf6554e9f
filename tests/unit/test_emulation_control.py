"""The control endpoint: the standard requests of USB 2.0, chapter 9, and the devices' own."""

import pytest
from doubles.usb_device import Host, Recorder, echo, phone_like

from usbprov.emulation.cdc import CdcAcmInterface
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.usbip import SetupPacket, TransferFlag, TransferStatus

STALL = TransferStatus.STALL
TO_DEVICE, FROM_DEVICE = 0x00, 0x80
TO_INTERFACE, FROM_INTERFACE = 0x01, 0x81
TO_ENDPOINT, FROM_ENDPOINT = 0x02, 0x82


@pytest.fixture
def function() -> Recorder:
    return echo()


@pytest.fixture
def host(function: Recorder) -> Host:
    return Host(phone_like(function, console=Recorder()))


def test_descriptors_are_cut_to_what_the_host_has_room_for(host: Host) -> None:
    full = host.descriptor(2)
    assert host.descriptor(2, room=9) == full[:9]
    assert int.from_bytes(full[2:4], "little") == len(full)


def test_an_unknown_descriptor_is_stalled(host: Host) -> None:
    assert host.control(FROM_DEVICE, 6, 0x2200, room=64).status == STALL
    assert host.control(FROM_DEVICE, 6, 0x0201, room=64).status == STALL


def test_configuration_is_taken_and_told(function: Recorder) -> None:
    host = Host(phone_like(function), configure=False)
    assert host.get(FROM_DEVICE, 8, room=1) == b"\0"
    assert host.control(TO_DEVICE, 9, 1).status == 0
    assert host.get(FROM_DEVICE, 8, room=1) == b"\1"
    assert host.control(TO_DEVICE, 9, 2).status == STALL
    assert host.device.configuration == 1
    assert host.control(TO_DEVICE, 9, 0).status == 0
    assert host.device.configuration == 0
    assert function.events == ["connect", "reset"]


def test_endpoints_and_interfaces_are_there_once_configured(function: Recorder) -> None:
    host = Host(phone_like(function), configure=False)
    assert host.start(0x01, b"x").wait().status == STALL
    assert host.control(TO_INTERFACE, 11, 0, 0).status == STALL
    assert host.control(0x41, 0x52, 0, 0).status == STALL
    assert function.received == []


def test_a_new_configuration_begins_anew(host: Host, function: Recorder) -> None:
    waiting = host.start(0x81, length=64)
    assert host.control(TO_DEVICE, 9, 1).status == 0
    assert waiting.wait().status == TransferStatus.UNLINKED
    assert function.events == ["connect", "reset", "connect"]


def test_what_a_function_sends_to_a_host_that_has_gone_is_lost(
    host: Host, function: Recorder
) -> None:
    old_send = function.send
    host.control(TO_DEVICE, 9, 0)
    host.control(TO_DEVICE, 9, 1)
    old_send(b"late")
    function.send(b"new")
    assert host.read().data == b"new"


def test_status_requests(host: Host) -> None:
    assert host.get(FROM_DEVICE, 0, room=2) == b"\1\0"
    assert host.get(FROM_INTERFACE, 0, index=2, room=2) == b"\0\0"
    assert host.get(FROM_ENDPOINT, 0, index=0x81, room=2) == b"\0\0"
    assert host.get(FROM_ENDPOINT, 0, index=0x00, room=2) == b"\0\0"
    assert host.control(FROM_INTERFACE, 0, index=3, room=2).status == STALL
    assert host.control(FROM_ENDPOINT, 0, index=0x8A, room=2).status == STALL


def test_alternate_settings(host: Host, function: Recorder) -> None:
    assert host.get(FROM_INTERFACE, 10, index=0, room=1) == b"\0"
    assert host.control(TO_INTERFACE, 11, 0, 0).status == 0
    assert host.control(TO_INTERFACE, 11, 1, 0).status == STALL
    assert host.control(FROM_INTERFACE, 10, index=9, room=1).status == STALL
    assert function.events == ["connect", "reset"]


def test_an_endpoint_is_halted_and_cleared(host: Host) -> None:
    waiting = host.start(0x81, length=64)
    assert host.control(TO_ENDPOINT, 3, 0, 0x81).status == 0
    assert waiting.wait().status == STALL
    assert host.get(FROM_ENDPOINT, 0, index=0x81, room=2) == b"\1\0"
    assert host.read().status == STALL
    host.clear_halt(0x81)
    assert host.get(FROM_ENDPOINT, 0, index=0x81, room=2) == b"\0\0"
    host.write(b"again")
    assert host.read().data == b"again"


@pytest.mark.parametrize(
    ("kind", "code", "value", "index"),
    [
        (TO_ENDPOINT, 1, 0, 0x0B),
        (TO_ENDPOINT, 1, 7, 0x81),
        (TO_DEVICE, 3, 1, 0),
        (TO_DEVICE, 77, 0, 0),
        (0x21, 0x52, 0, 0),
        (0x41, 0x53, 0, 0),
        (0xC0, 0x4D, 0, 8),
        (0x40, 0x4D, 0, 7),
        (0x22, 1, 0, 0x81),
    ],
)
def test_what_the_device_does_not_know_is_stalled(
    host: Host, kind: int, code: int, value: int, index: int
) -> None:
    assert host.control(kind, code, value, index, room=64).status == STALL


def test_a_data_stage_of_another_length_than_announced_is_stalled(host: Host) -> None:
    setup = SetupPacket(0x21, 0x20, 0, 1, 7)
    assert host.start(0, b"12345", setup=setup).wait().status == STALL


def test_an_address_is_taken(host: Host) -> None:
    assert host.control(TO_DEVICE, 5, 12).status == 0


def test_windows_gets_its_descriptor_set(host: Host) -> None:
    assert host.get(0xC0, 0x4D, 0, 7) == host.device.descriptors.ms_os_20
    plain = UsbDevice(DeviceIdentity(1, 2), [CdcAcmInterface(Recorder(), name="c")])
    assert Host(plain).control(0xC0, 0x4D, 0, 7, room=64).status == STALL


def test_a_port_reset_leaves_the_device_configured(host: Host, function: Recorder) -> None:
    host.control(TO_ENDPOINT, 3, 0, 0x01)
    assert host.control(0x23, 3, 4, 1).status == 0
    assert function.events == ["connect", "reset", "connect"]
    assert host.device.configuration == 1
    host.write(b"x")
    assert host.read().data == b"x"


def test_a_short_answer_is_an_error_where_the_host_says_so(host: Host) -> None:
    setup = SetupPacket(FROM_DEVICE, 6, 0x0100, 0, 64)
    completion = host.start(0, length=64, setup=setup, flags=TransferFlag.SHORT_NOT_OK).wait()
    assert (completion.status, completion.actual) == (TransferStatus.SHORT, 18)
