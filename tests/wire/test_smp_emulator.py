"""The emulated phone as a USB device: exported, found, opened and provisioned over USB/IP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from smp_links import NONCE, issue, quiet

from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.exporter import Exporter
from usbprov.phone.contract import Credential, PhoneSettings
from usbprov.pki.requests import load_request
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import AttachedDevice
from usbprov_drivers.smp.driver import DRIVER
from usbprov_drivers.smp.emulator import EMULATOR

SETTINGS = PhoneSettings("sip:alice@contoso.test", "https://pool.contoso.test/CertProv")


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[list[AttachedDevice]]:
    small = {"small-buffers": ""}
    phones = {
        "1-1": EMULATOR.make(PhoneSpec(1, tmp_path / "1")),
        "1-1.4.2": EMULATOR.make(PhoneSpec(300, tmp_path / "2", (), small)),
    }
    with Exporter(phones) as exporter:
        yield list(open_bus(f"usbip://127.0.0.1:{exporter.port}").devices())


def test_the_phones_are_recognised_by_their_interface(devices: list[AttachedDevice]) -> None:
    assert [device.facts.port_path for device in devices] == ["1-1", "1-1.4.2"]
    for device, serial in zip(devices, ("EMU0001", "EMU0300"), strict=True):
        facts = device.facts
        assert DRIVER.recognises(facts)
        assert (facts.vendor_id, facts.product_id) == (0x1209, 0x0001)
        assert (facts.manufacturer, facts.product, facts.serial) == ("usbprov", "EP-100", serial)
        assert {interface.cls for interface in facts.interfaces} == {0xFF, 0x02, 0x0A}


@pytest.mark.parametrize("number", [0, 1], ids=["plain", "small"])
def test_a_phone_is_provisioned_over_usb(devices: list[AttachedDevice], number: int) -> None:
    phone = DRIVER.open(devices[number])
    try:
        made = phone.generate_key(0, 2048, NONCE, replace=False, progress=quiet)
        request = load_request(phone.request(0, "alice@contoso.test"))
        certificate = issue(request.public_key())  # type: ignore[arg-type]
        phone.install(0, Credential(certificate, [certificate] * 2), SETTINGS, quiet)
        info = phone.info()
        assert info.slots[0].active_key == made
        assert info.settings == SETTINGS
        assert info.mac == ("02:00:5e:00:00:01", "02:00:5e:00:01:2c")[number]
    finally:
        phone.close()


def test_a_phone_may_be_opened_again(devices: list[AttachedDevice]) -> None:
    for _ in range(3):
        phone = DRIVER.open(devices[0])
        assert phone.info().serial == "EMU0001"
        phone.close()


def test_the_emulator_says_what_it_can_be() -> None:
    assert EMULATOR.family == "smp"
    assert "no-keygen" in EMULATOR.personalities
