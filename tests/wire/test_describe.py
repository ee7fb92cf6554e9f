"""``describe`` on emulated devices, and what the others say to a phone that is only detected."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles.usb_device import Recorder

from usbprov.cli.main import run
from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.urb import Urb
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov.errors import ExitCode
from usbprov_drivers.smp.emulator import EMULATOR

GET_DESCRIPTOR = (0x80, 6)


def unknown(manufacturer: str, product: str, serial: str) -> tuple[UsbDevice, Recorder]:
    function = Recorder()
    interface = VendorBulkInterface(function, name="secret", subclass=1, protocol=1)
    who = DeviceIdentity(0x1234, 0x5678, manufacturer, product, serial)
    return UsbDevice(who, [interface]), function


class Bench:
    """A bus with an emulated phone, one that is like a CX600, and a device of no family."""

    def __init__(self, folder: Path) -> None:
        self.phone = EMULATOR.make(PhoneSpec(1, folder / "phone"))
        self.lpe, self.behind_lpe = unknown("Polycom", "Polycom CX600", "64167f112233")
        self.stranger, self.behind_stranger = unknown("Maker", "Thing", "T-1")
        self.seen: list[tuple[int, int]] = []
        for device in (self.lpe, self.stranger):
            self._watch(device)
        self.exporter = Exporter({"1-1": self.phone, "1-2": self.lpe, "1-3": self.stranger})
        self.told = ""
        self.error = ""

    def _watch(self, device: UsbDevice) -> None:
        submit = device.submit

        def noting(urb: Urb) -> None:
            if urb.setup is not None:
                self.seen.append((urb.setup.request_type, urb.setup.request))
            submit(urb)

        device.submit = noting  # type: ignore[method-assign]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    with made.exporter:
        yield made


Command = Callable[..., int]


@pytest.fixture
def usbprov(
    bench: Bench,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    monkeypatch.setenv("HOME", str(tmp_path))
    own = [
        "--bus",
        bench.exporter.uri,
        "--lock-dir",
        str(tmp_path),
        "--ledger",
        str(tmp_path / "l"),
    ]

    def command(*arguments: str) -> int:
        code = run([*own, *arguments])
        captured = capsys.readouterr()
        bench.told, bench.error = captured.out, captured.err
        return code

    return command


def document(bench: Bench) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(bench.told)
    return told


def test_a_device_of_no_family_is_described(bench: Bench, usbprov: Command) -> None:
    assert usbprov("describe", "1-3", "--json") == ExitCode.DONE
    told = document(bench)
    assert told["driver"] is None
    assert told["source"] == "device"
    assert told["device"]["product"] == "Thing"
    descriptors = told["descriptors"]
    raw = bytes.fromhex(descriptors["device"]["raw"])
    assert raw == bench.stranger.descriptors.get(1, 0)
    assert descriptors["device"]["idVendor"] == struct.unpack_from("<H", raw, 8)[0] == 0x1234
    (configuration,) = descriptors["configurations"]
    assert bytes.fromhex(configuration["raw"]) == bench.stranger.descriptors.get(2, 0)
    (interface,) = configuration["interfaces"]
    assert interface["bInterfaceClass"] == 0xFF
    assert [e["bEndpointAddress"] for e in interface["endpoints"]] == [0x01, 0x81]
    assert sorted(told["strings"].values()) == ["Maker", "T-1", "Thing", "secret"]


def test_nothing_but_descriptors_is_asked_and_nothing_reaches_the_function(
    bench: Bench, usbprov: Command
) -> None:
    usbprov("describe", "1-2")
    assert set(bench.seen) == {GET_DESCRIPTOR}
    assert bench.behind_lpe.received == []


def test_the_text_names_interfaces_and_endpoints(bench: Bench, usbprov: Command) -> None:
    assert usbprov("describe", "1-1") == ExitCode.DONE
    for words in (
        "1209:0001",
        "EMU0001",
        "smp",
        "class ff/05/50  usbprov SMP",
        "endpoint 01 OUT bulk, packets of 512 bytes",
        "interrupt",
        "2.10",
    ):
        assert words in bench.told, words


def test_the_only_phone_is_meant_where_none_is_named(bench: Bench, usbprov: Command) -> None:
    assert usbprov("describe", "--json") == ExitCode.DONE
    assert document(bench)["driver"] == "smp"


def test_a_file_for_those_who_would_write_a_driver(
    bench: Bench, usbprov: Command, tmp_path: Path
) -> None:
    file = tmp_path / "phone.json"
    assert usbprov("describe", "1-2", "--dump", str(file)) == ExitCode.DONE
    assert "phone.json is written" in bench.told
    assert "64167f112233 is in it" in bench.error
    assert file.stat().st_mode & 0o777 == 0o644
    assert json.loads(file.read_text())["device"]["serial"] == "64167f112233"


def test_the_serial_number_can_be_masked(bench: Bench, usbprov: Command, tmp_path: Path) -> None:
    file = tmp_path / "phone.json"
    assert usbprov("describe", "1-2", "--no-serial", "--dump", str(file), "--json") == ExitCode.DONE
    for text in (bench.told, file.read_text()):
        assert "64167f112233" not in text
        assert json.loads(text)["device"]["serial"] == "(masked)"
        assert "(masked)" in json.loads(text)["strings"].values()
        assert json.loads(text)["serial_masked"] is True
    assert bench.error == ""


def test_a_file_that_cannot_be_written(bench: Bench, usbprov: Command, tmp_path: Path) -> None:
    file = tmp_path / "none" / "phone.json"
    assert usbprov("describe", "1-2", "--dump", str(file)) == ExitCode.USAGE
    assert "cannot be written" in bench.error


def test_lying_descriptors_are_kept_as_they_are(bench: Bench, usbprov: Command) -> None:
    def lie(kind: int, index: int, data: bytes | None) -> bytes | None:
        if kind == 2 and data is not None:
            return data[:9] + bytes((0, 4)) + data[11:]
        return data

    bench.stranger.faults.descriptor = lie
    assert usbprov("describe", "1-3", "--json") == ExitCode.DONE
    told = document(bench)
    (configuration,) = told["descriptors"]["configurations"]
    assert bytes.fromhex(configuration["raw"])[9:11] == bytes((0, 4))
    assert any("has length 0" in words for words in told["unread"])
    assert usbprov("describe", "1-3") == ExitCode.DONE
    assert "has length 0" in bench.told


# --- a phone that is only detected


def test_it_is_listed_with_its_family(bench: Bench, usbprov: Command) -> None:
    assert usbprov("list", "--json") == ExitCode.DONE
    assert [d["driver"] for d in json.loads(bench.told)] == ["smp", "lpe", None]


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "1-2"],
        ["identify", "1-2"],
        ["provision", "1-2", "--extension", "1001", "--web-services-url", "https://x.test/c"],
    ],
)
def test_every_command_says_why_not_and_what_to_do(
    bench: Bench, usbprov: Command, arguments: list[str]
) -> None:
    assert usbprov(*arguments) == ExitCode.PHONE
    assert "PHN-09" in bench.error
    assert "Polycom CX600" in bench.error
    assert "usbprov discover" in bench.error
    assert bench.behind_lpe.events == []


def test_without_a_name_the_phone_that_can_be_provisioned_is_meant(
    bench: Bench, usbprov: Command
) -> None:
    assert usbprov("info", "--json") == ExitCode.DONE
    assert document(bench)["serial"] == "EMU0001"
