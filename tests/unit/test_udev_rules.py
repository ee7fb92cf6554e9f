"""The udev rules: made from the drivers' tables, committed as made, true of emulated phones."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from doubles.usb_device import Recorder
from udev_events import Event, Part, events_of, rules_of

from usbprov.cli.rules import rules
from usbprov.emulation.cdc import CdcAcmInterface
from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov.phone.contract import Driver
from usbprov.phone.registry import drivers
from usbprov.usb.matching import UsbMatch
from usbprov.usb.udev_rules import (
    NEIGHBOURS,
    RIGHTS,
    device_conditions,
    port_conditions,
    rules_files,
)
from usbprov_drivers.smp.emulator import EMULATOR

ROOT = Path(__file__).parents[2]
ABLE = [driver for driver in drivers() if not driver.detects_only]
ROWS = [(driver, row) for driver in ABLE for row in driver.matches if not row.serial_line]
GRANTED = {"MODE": "0660", "GROUP": "plugdev"}


def text_of(name: str, **families: list[UsbMatch]) -> str:
    files = rules_files(families) if families else rules()
    return next(file.text for file in files if file.name == name)


def applied(event: Event, **families: list[UsbMatch]) -> Event:
    for name in sorted((RIGHTS, NEIGHBOURS)):
        event.apply(text_of(name, **families))
    return event


def generator() -> ModuleType:
    path = ROOT / "scripts" / "udev_rules.py"
    spec = importlib.util.spec_from_file_location("udev_rules_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_files_are_what_the_drivers_tables_make() -> None:
    committed = {path.name: path.read_text() for path in (ROOT / "udev").iterdir()}
    assert committed == {file.name: file.text for file in rules()}, "run `make docs`"


def test_the_script_notices_outdated_files_and_mends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = generator()
    monkeypatch.setattr(script, "TARGET", tmp_path)
    (tmp_path / "99-old.rules").write_text("")
    monkeypatch.setattr("sys.argv", ["udev_rules.py", "--check"])
    assert script.main() == 1
    monkeypatch.setattr("sys.argv", ["udev_rules.py"])
    assert script.main() == 0
    assert {path.name for path in tmp_path.iterdir()} == {RIGHTS, NEIGHBOURS}


def test_the_names_sort_where_they_must() -> None:
    assert "50-udev-default.rules" < NEIGHBOURS < "69-libmtp.rules"
    assert "60-serial.rules" < RIGHTS < "73-seat-late.rules"


@pytest.mark.parametrize(
    ("driver", "row"), ROWS, ids=lambda value: getattr(value, "family", None) or str(value.row())
)
def test_every_row_of_a_driver_that_provisions_has_its_rule(driver: Driver, row: UsbMatch) -> None:
    lines = text_of(RIGHTS).splitlines()
    conditions = [c for c in (device_conditions(row), port_conditions(row)) if c]
    assert conditions
    for wanted in conditions:
        assert any(", ".join(wanted) in line and "uaccess" in line for line in lines)


def test_detect_only_families_get_no_rights() -> None:
    told = text_of(RIGHTS) + text_of(NEIGHBOURS)
    assert "lpe" in {driver.family for driver in drivers()}
    assert "lpe" not in told
    assert "095d" not in told


def test_every_condition_and_assignment_is_one_that_udev_knows() -> None:
    conditions = {"ACTION", "SUBSYSTEM", "SUBSYSTEMS", "ENV", "ATTR", "ATTRS"}
    actions = {"MODE", "GROUP", "TAG", "ENV", "GOTO", "LABEL", "IMPORT"}
    parts = [part for file in rules() for rule in rules_of(file.text) for part in rule]
    assert {p.key for p in parts if p.is_condition} <= conditions
    assert {p.key for p in parts if not p.is_condition} <= actions
    ends = [(p.key, p.value) for p in parts if p.key in {"GOTO", "LABEL"}]
    assert ends == [("GOTO", "usbprov_end"), ("LABEL", "usbprov_end")] * 2


@pytest.mark.parametrize("personality", [{}, {"small-buffers": ""}], ids=["plain", "small"])
def test_an_emulated_phone_is_opened_and_left_alone(
    tmp_path: Path, personality: dict[str, str]
) -> None:
    device = EMULATOR.make(PhoneSpec(1, tmp_path / "state", (), personality))
    usb, *ports = [applied(event) for event in events_of(device)]
    assert usb.set_to == GRANTED
    assert usb.tags == {"uaccess"}
    assert usb.properties["ID_MM_DEVICE_IGNORE"] == "1"
    assert usb.properties["MTP_NO_PROBE"] == "1"
    assert ports
    for port in ports:
        assert port.set_to == {"MODE": "0660"}
        assert port.tags == {"uaccess"}
        assert port.properties == {"ID_MM_PORT_IGNORE": "1"}


def device(*interfaces: object, **who: object) -> UsbDevice:
    identity = {"manufacturer": "maker", "product": "thing", "serial": None}
    return UsbDevice(DeviceIdentity(0x1209, 0x0001, **(identity | who)), interfaces)  # type: ignore[arg-type]


def bulk(subclass: int = 5, protocol: int = 0x50) -> VendorBulkInterface:
    return VendorBulkInterface(Recorder(), name="x", subclass=subclass, protocol=protocol)


def modem(name: str = "modem") -> CdcAcmInterface:
    return CdcAcmInterface(Recorder(), name=name)


def is_touched(*events: Event) -> bool:
    return any(
        e.set_to or e.tags or e.properties.keys() - {"DEVTYPE", "ID_USB_INTERFACES"} for e in events
    )


def test_other_devices_are_not_touched() -> None:
    others = [device(modem()), device(bulk(5, 0x51)), device(bulk(4, 0x50), modem())]
    for other in others:
        assert not is_touched(*map(applied, events_of(other)))


def test_a_phone_of_a_console_only_gets_its_port_and_not_the_whole_device() -> None:
    usb, port = map(applied, events_of(device(modem("usbprov SMP"))))
    assert not is_touched(usb)
    assert is_touched(port)


def test_on_removal_nothing_is_done() -> None:
    rules = rules_of(text_of(RIGHTS))
    assert rules[0] == [
        Part("ACTION", "", "==", "remove"),
        Part("GOTO", "", "=", "usbprov_end"),
    ]


def test_ids_open_the_device_and_its_ports() -> None:
    row = UsbMatch(vendor_id=0x1209, product_id=0x0001)
    for event in events_of(device(bulk(1, 1), modem())):
        assert applied(event, made=[row]).tags == {"uaccess"}
    for event in events_of(device(bulk(1, 1), modem())):
        assert not is_touched(applied(event, made=[UsbMatch(vendor_id=0x1209, product_id=2)]))


@pytest.mark.parametrize(
    ("pattern", "product"),
    [
        ("*cx600*", "Polycom CX600"),
        ("Desk [ab]*", "desk a1"),
        ('say "hello" | $env{x}', 'Say "hello" | $env{X}'),
        ("größe", "GRößE"),
        ("a[", "A["),
        ("?one", "Xone"),
    ],
)
def test_a_rule_is_never_narrower_than_its_row(pattern: str, product: str) -> None:
    row = UsbMatch(manufacturer="MAKER", product=pattern)
    usb, *_ = events_of(device(bulk(), product=product))
    assert applied(usb, made=[row]).tags == {"uaccess"}
    other, *_ = events_of(device(bulk(), product="something else altogether"))
    assert not is_touched(applied(other, made=[row]))


def test_ids_and_a_vendor_interface_must_both_fit() -> None:
    row = UsbMatch(interface=(0xFF, 5, 0x50), vendor_id=0x1209)
    (usb,) = events_of(device(bulk()))
    assert applied(usb, made=[row]).tags == {"uaccess"}
    (other,) = events_of(device(bulk(7, 7)))
    assert not is_touched(applied(other, made=[row]))


@pytest.mark.parametrize("row", [UsbMatch(), UsbMatch(serial_line=True)])
def test_a_row_of_which_udev_sees_nothing_gets_no_rule(row: UsbMatch) -> None:
    assert "uaccess" not in "\n".join(
        line for line in text_of(RIGHTS, made=[row]).splitlines() if not line.startswith("#")
    )
