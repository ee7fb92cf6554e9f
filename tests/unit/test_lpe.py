"""The family that is recognised and never written to."""

import pytest

from usbprov.errors import ExitCode, NoDriver, NoPublicProtocol, NothingToProvision
from usbprov.phone.registry import driver_for, recognises
from usbprov.usb.devices import DeviceFacts, InterfaceFacts, SerialPort
from usbprov.usb.link import Link
from usbprov_drivers.lpe.driver import DRIVER
from usbprov_drivers.lpe.models import MODELS, Kind, model_of


class Untouchable:
    """A device that must not even be opened."""

    def __init__(self, facts: DeviceFacts) -> None:
        self.facts = facts

    def open_bulk(self, interface: InterfaceFacts) -> Link:
        raise AssertionError("it was opened")

    def open_serial(self, port: SerialPort) -> Link:
        raise AssertionError("it was opened")


def facts(
    manufacturer: str | None, product: str | None, ids: tuple[int, int] = (1, 2)
) -> DeviceFacts:
    return DeviceFacts("kernel", "1-4", *ids, manufacturer=manufacturer, product=product)


@pytest.mark.parametrize(
    ("manufacturer", "product", "name"),
    [
        ("Polycom", "CX600", "Polycom CX600"),
        ("Polycom Inc.", "Polycom CX700 IP Phone", "Polycom CX700"),
        ("polycom", "cx3000", "Polycom CX3000"),
        ("Polycom", "Polycom CX500", "Polycom CX500"),
        ("LG-Nortel", "IP8540", "LG-Nortel IP8540"),
        ("Aastra", "6725ip", "Aastra 6725ip"),
        ("HP", "HP 4120 IP Phone", "HP 4120"),
    ],
)
def test_phones_are_recognised_and_refused_with_what_can_be_done(
    manufacturer: str, product: str, name: str
) -> None:
    device = Untouchable(facts(manufacturer, product))
    assert driver_for(device.facts) is DRIVER
    with pytest.raises(NoPublicProtocol) as caught:
        DRIVER.open(device)
    error = caught.value
    assert (error.phone, error.model, error.exit_code) == ("phone 1-4", name, ExitCode.PHONE)
    for advice in ("over the network", "PIN", "usbprov discover", "usbprov describe --dump"):
        assert advice in error.remedy


@pytest.mark.parametrize(
    "told",
    [
        facts(None, None, (0x095D, 0x9201)),
        facts("Polycom", "Polycom CX300"),
        facts("Polycom", "Polycom CX300 R2"),
        facts("Plantronics", "Calisto P540-M"),
        facts("snom technology", "snom UC600"),
    ],
)
def test_handsets_of_the_computer_have_nothing_to_provision(told: DeviceFacts) -> None:
    with pytest.raises(NothingToProvision, match="nothing to provision"):
        DRIVER.open(Untouchable(told))


@pytest.mark.parametrize(
    "told",
    [
        facts("Polycom", "Polycom CX5500"),
        facts("Polycom", "CX5100"),
        facts("Polycom", "VVX 411"),
        facts("Canon", "CX600"),
        facts(None, "CX600"),
        facts("HP", "LaserJet 4100"),
        facts("Microsoft", "Catalina", (0x045E, 0xFFCA)),
        facts(None, None, (0x095D, 0x0001)),
    ],
)
def test_other_devices_are_not_claimed(told: DeviceFacts) -> None:
    assert not recognises(DRIVER, told)
    with pytest.raises(NoDriver):
        DRIVER.open(Untouchable(told))


def test_no_usb_id_is_made_up() -> None:
    ids = {
        (row.vendor_id, row.product_id)
        for row in DRIVER.matches
        if row.vendor_id is not None or row.product_id is not None
    }
    assert ids == {(0x095D, 0x9201)}


def test_the_driver_only_detects_and_every_row_names_its_model() -> None:
    assert DRIVER.detects_only
    assert all(row.model == model.name for model in MODELS for row in model.matches)
    handset = model_of(facts("Polycom", "CX300"))
    conference = model_of(facts("Polycom", "CX3000"))
    assert handset is not None
    assert conference is not None
    assert (handset.kind, conference.kind) == (Kind.HANDSET, Kind.PHONE)
