"""The descriptors of emulated devices, read as a host reads them."""

import struct
from collections.abc import Iterator

import pytest
from doubles.usb_device import Recorder, phone_like

from usbprov.emulation.cdc import CdcAcmInterface
from usbprov.emulation.descriptors import DescriptorSet, DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.layout import lay_out
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov.errors import LabUnusable
from usbprov.usbip import Speed

WHO = DeviceIdentity(0x1209, 0x0001, "maker", "phone", "S1", release=0x0123)


def vendor(name: str = "vendor") -> VendorBulkInterface:
    return VendorBulkInterface(Recorder(), name=name, subclass=0x50, protocol=0x01)


def console() -> CdcAcmInterface:
    return CdcAcmInterface(Recorder(), name="console")


def descriptors(
    *interfaces: object, who: DeviceIdentity = WHO, speed: Speed = Speed.HIGH
) -> DescriptorSet:
    return UsbDevice(who, interfaces, speed=speed).descriptors  # type: ignore[arg-type]


def whole(found: bytes | None) -> bytes:
    assert found is not None
    return found


def walk(raw: bytes) -> Iterator[bytes]:
    while raw:
        assert 2 <= raw[0] <= len(raw), "a descriptor with a wrong length"
        yield raw[: raw[0]]
        raw = raw[raw[0] :]


def text(found: bytes | None) -> str:
    raw = whole(found)
    assert raw[:2] == bytes((len(raw), 3))
    return raw[2:].decode("utf-16-le")


def test_device_descriptor_tells_who_it_is() -> None:
    fields = struct.unpack("<BBHBBBBHHHBBBB", whole(descriptors(vendor()).get(1, 0)))
    assert fields[:4] == (18, 1, 0x0210, 0)
    assert fields[6:10] == (64, 0x1209, 0x0001, 0x0123)
    assert fields[13] == 1


def test_strings_are_where_the_descriptors_say() -> None:
    found = descriptors(vendor("the interface"))
    device, config = whole(found.get(1, 0)), whole(found.get(2, 0))
    assert whole(found.get(3, 0)) == b"\x04\x03\x09\x04"
    assert [text(found.get(3, i)) for i in device[14:17]] == ["maker", "phone", "S1"]
    assert text(found.get(3, config[9 + 8])) == "the interface"
    assert found.get(3, 77) is None


def test_a_device_without_strings_has_none() -> None:
    found = descriptors(vendor(), who=DeviceIdentity(1, 2))
    assert whole(found.get(1, 0))[14:17] == bytes(3)


@pytest.mark.parametrize("parts", [(vendor,), (vendor, console), (console, vendor), (console,)])
def test_a_configuration_adds_up(parts: tuple[object, ...]) -> None:
    raw = whole(descriptors(*(make() for make in parts)).get(2, 0))  # type: ignore[operator]
    _, _, total, interfaces, value = struct.unpack("<BBHBB", raw[:6])
    assert (total, value) == (len(raw), 1)
    units = list(walk(raw))
    numbers = [u[2] for u in units if u[1] == 4]
    assert numbers == list(range(interfaces))
    addresses = [u[2] for u in units if u[1] == 5]
    assert len(set(addresses)) == len(addresses) == sum(u[4] for u in units if u[1] == 4)


@pytest.mark.parametrize(("parts", "first"), [((vendor, console), 1), ((console, vendor), 0)])
def test_the_serial_port_names_its_interfaces_wherever_it_stands(
    parts: tuple[object, ...], first: int
) -> None:
    found = descriptors(*(make() for make in parts))  # type: ignore[operator]
    units = list(walk(whole(found.get(2, 0))))
    association = next(u for u in units if u[1] == 11)
    assert association == bytes((8, 11, first, 2, 2, 2, 0, 0))
    functional = {u[2]: u[3:] for u in units if u[1] == 0x24}
    assert functional == {
        0x00: b"\x20\x01",
        0x01: bytes((0, first + 1)),
        0x02: b"\x06",
        0x06: bytes((first, first + 1)),
    }
    assert whole(found.get(1, 0))[4:7] == b"\xef\x02\x01"


def test_the_serial_port_claims_no_at_commands() -> None:
    units = walk(whole(descriptors(console()).get(2, 0)))
    communication = next(u for u in units if u[1] == 4)
    assert communication[5:8] == bytes((2, 2, 0))


def bulk_sizes(raw: bytes) -> set[int]:
    return {struct.unpack("<H", u[4:6])[0] for u in walk(raw) if u[1] == 5 and u[3] == 2}


def test_packets_are_as_large_as_the_speed_allows() -> None:
    fast, slow = descriptors(vendor(), console()), descriptors(vendor(), speed=Speed.FULL)
    assert bulk_sizes(whole(fast.get(2, 0))) == {512}
    assert bulk_sizes(whole(fast.get(7, 0))) == {64}
    assert bulk_sizes(whole(slow.get(2, 0))) == {64}


def test_only_a_high_speed_device_has_another_speed() -> None:
    fast, slow = descriptors(vendor()), descriptors(vendor(), speed=Speed.FULL)
    assert whole(fast.get(6, 0)) == bytes.fromhex("0a061002000000400100")
    assert whole(fast.get(7, 0))[1] == 7
    assert slow.get(6, 0) is None
    assert slow.get(7, 0) is None


def test_the_bos_points_to_the_windows_descriptors() -> None:
    found = descriptors(vendor(), console())
    head, *capabilities = walk(whole(found.get(15, 0)))
    assert head == struct.pack("<BBHB", 5, 15, 5 + sum(map(len, capabilities)), 2)
    assert capabilities[0] == bytes.fromhex("07100200000000")
    platform = capabilities[1]
    assert platform[:4] == bytes((28, 16, 5, 0))
    assert platform[4:20].hex() == "df60ddd88945c74c9cd2659d9e648a9f"
    windows, size, code, _ = struct.unpack("<IHBB", platform[20:])
    assert (windows, size, code) == (0x06030000, len(found.ms_os_20), 0x4D)


def ms_units(raw: bytes) -> list[tuple[int, bytes]]:
    units = []
    while raw:
        size, kind = struct.unpack("<HH", raw[:4])
        assert 4 <= size <= len(raw)
        units.append((kind, raw[4:size]))
        raw = raw[size:]
    return units


def test_winusb_is_bound_to_the_vendor_function_alone() -> None:
    raw = descriptors(console(), vendor()).ms_os_20
    units = ms_units(raw)
    assert [kind for kind, _ in units] == [0, 1, 2, 3, 4]
    assert struct.unpack("<IH", units[0][1]) == (0x06030000, len(raw))
    assert struct.unpack("<BBH", units[1][1]) == (0, 0, len(raw) - 10)
    assert struct.unpack("<BBH", units[2][1]) == (2, 0, len(raw) - 18)
    assert units[3][1] == b"WINUSB".ljust(16, b"\0")
    kind, name_size = struct.unpack("<HH", units[4][1][:4])
    name, value = units[4][1][4 : 4 + name_size], units[4][1][6 + name_size :]
    assert kind == 7
    assert name.decode("utf-16-le") == "DeviceInterfaceGUIDs\0"
    assert value.decode("utf-16-le").endswith("}\0\0")


def test_a_device_of_one_interface_is_bound_as_a_whole() -> None:
    assert [kind for kind, _ in ms_units(descriptors(vendor()).ms_os_20)] == [0, 3, 4]


def test_a_device_for_no_winusb_does_not_speak_of_it() -> None:
    found = descriptors(console())
    assert found.ms_os_20 == b""
    assert whole(found.get(15, 0))[4] == 1


def test_a_device_cannot_have_more_endpoints_than_usb_has() -> None:
    lay_out([vendor() for _ in range(15)])
    with pytest.raises(LabUnusable):
        lay_out([vendor() for _ in range(16)])


def test_every_interface_has_its_place_in_the_exported_list() -> None:
    found = phone_like(Recorder(), console=Recorder()).descriptors
    assert [(i.cls, i.subclass, i.protocol) for i in found.interfaces] == [
        (0xFF, 0x50, 0x01),
        (0x02, 0x02, 0x00),
        (0x0A, 0x00, 0x00),
    ]
