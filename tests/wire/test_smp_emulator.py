"""The emulated phone as a USB device: exported, found, opened and provisioned over USB/IP."""

import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from smp_links import NONCE, issue, quiet, spec, wait_until

from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.exporter import Exporter
from usbprov.errors import LabUnusable, NoSuchLink, PhoneGone
from usbprov.phone.contract import Credential, PhoneSettings
from usbprov.phone.registry import recognises
from usbprov.pki.keys import generate_rsa, to_pkcs8
from usbprov.pki.requests import load_request
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import AttachedDevice, Bus
from usbprov.usb.model_backend import ModelBackend
from usbprov.usb.pyusb_bus import PyusbBus
from usbprov_drivers.smp import emulator
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.driver import DRIVER, SmpPhone
from usbprov_drivers.smp.emulator import EMULATOR

HOST_KEY = generate_rsa()
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
        assert recognises(DRIVER, facts)
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


def cabled(folder: Path, personality: str) -> UsbDevice:
    return EMULATOR.make(spec(folder, personality))


def triples(device: UsbDevice) -> list[tuple[int, int, int]]:
    return [(i.cls, i.subclass, i.protocol) for i in device.descriptors.interfaces]


BULK, ACM, DATA = (0xFF, 0x05, 0x50), (2, 2, 0), (0x0A, 0, 0)


@pytest.mark.parametrize(
    ("personality", "expected"),
    [("", [BULK, ACM, DATA]), ("bulk-only", [BULK]), ("serial-only", [ACM, DATA])],
)
def test_a_phone_has_the_cables_that_it_is_given(
    tmp_path: Path, personality: str, expected: list[tuple[int, int, int]]
) -> None:
    device = cabled(tmp_path, personality)
    assert triples(device) == expected
    backend = ModelBackend({"1-1": device})
    (found,) = PyusbBus("model", backend).devices()
    assert recognises(DRIVER, found.facts)
    named = [i.name for i in found.facts.interfaces if i.cls != 0x0A]
    assert set(named) == {"usbprov SMP"}


def test_a_phone_without_any_cable_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(LabUnusable, match="serial-only"):
        cabled(tmp_path, "bulk-only serial-only")


def test_a_serial_port_cannot_be_had_in_user_space(tmp_path: Path) -> None:
    with Exporter({"1-1": cabled(tmp_path, "serial-only")}) as exporter:
        (device,) = open_bus(exporter.uri).devices()
        with pytest.raises(NoSuchLink, match="serial"):
            DRIVER.open(device)


@pytest.fixture
def restless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[UsbDevice, Bus]]:
    """A phone that restarts after a commit, and is away for a shorter time than others."""
    monkeypatch.setattr(emulator, "_LAST_WORDS", 0.2)
    monkeypatch.setattr(emulator, "_AWAY", 0.3)
    device = cabled(tmp_path, "restarts no-keygen")
    with Exporter({"1-1": device}) as exporter:
        yield device, open_bus(exporter.uri)


def restarting() -> bool:
    return any(thread.name == "EMU0001-reboot" for thread in threading.enumerate())


def reopened(bus: Bus) -> SmpPhone:
    wait_until(lambda: bus.device_at("1-1") is not None)
    device = bus.device_at("1-1")
    assert device is not None
    phone = DRIVER.open(device)
    assert isinstance(phone, SmpPhone)
    return phone


def goes_away(phone: SmpPhone, device: UsbDevice) -> None:
    with pytest.raises(PhoneGone):
        wait_until(lambda: phone.identity() is None)
    phone.close()
    wait_until(lambda: device.plugged)


def test_a_phone_that_is_reset_answers_leaves_the_bus_and_comes_back(
    restless: tuple[UsbDevice, Bus],
) -> None:
    device, bus = restless
    moves: list[bool] = []
    device.watch(moves.append)
    phone = reopened(bus)
    phone.identify(on=True)
    phone._session.call(m.RESET, m.ResetRequest())
    goes_away(phone, device)
    assert moves == [False, True]
    phone = reopened(bus)
    assert phone.identity().serial == "EMU0001"
    phone.close()


def test_a_phone_that_restarts_after_a_commit_has_its_credential_then(
    restless: tuple[UsbDevice, Bus],
) -> None:
    device, bus = restless
    phone = reopened(bus)
    key = phone.import_key(0, to_pkcs8(HOST_KEY), NONCE, replace=False)
    certificate = issue(HOST_KEY.public_key())
    phone.install(0, Credential(certificate), SETTINGS, quiet)
    goes_away(phone, device)
    phone = reopened(bus)
    slot = phone.info().slots[0]
    assert (slot.active_key, slot.active_certificate) == (key, sha256(certificate).hexdigest())
    again = m.CommitRequest(m.Kind.CERT, sha256(certificate).digest(), 0)
    phone._session.call(m.COMMIT, again)
    assert phone.identity().serial == "EMU0001"
    assert not restarting(), "a COMMIT that changes nothing restarts nothing"
    phone.close()


def test_a_phone_that_was_pulled_while_it_restarts_stays_out(
    restless: tuple[UsbDevice, Bus],
) -> None:
    device, bus = restless
    phone = reopened(bus)
    phone._session.call(m.RESET, m.ResetRequest())
    assert phone.identity().serial == "EMU0001"
    device.unplug()
    phone.close()
    assert restarting()
    wait_until(lambda: not restarting())
    assert not device.plugged
