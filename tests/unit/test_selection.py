"""Which phone is meant."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from doubles.phone import MemoryPhone

from usbprov.errors import AmbiguousPhone, NoDriver, NoPhone, NoSuchPhone, PhoneBusy
from usbprov.phone.candidates import Candidate
from usbprov.phone.contract import Phone
from usbprov.phone.selection import select
from usbprov.usb.devices import AttachedDevice, DeviceFacts, InterfaceFacts, LinkKind, SerialPort
from usbprov.usb.link import Link
from usbprov.usb.matching import UsbMatch


@dataclass(frozen=True)
class Device:
    facts: DeviceFacts

    def open_bulk(self, interface: InterfaceFacts) -> Link:
        raise NotImplementedError

    def open_serial(self, port: SerialPort) -> Link:
        raise NotImplementedError


@dataclass(frozen=True)
class MemoryBus:
    uri: str = "kernel"

    def devices(self) -> Sequence[AttachedDevice]:
        return []

    def device_at(self, port_path: str) -> AttachedDevice | None:
        return None


class MemoryDriver:
    family = "memory"
    summary = "phones in memory"
    matches = (UsbMatch(),)
    detects_only = False

    def open(self, device: AttachedDevice, link: LinkKind | None = None) -> Phone:
        if device.facts.product == "busy":
            raise PhoneBusy(device.facts.name)
        return MemoryPhone(facts=device.facts)


ONE = DeviceFacts("kernel", "1-1", 1, 2, product="Phone", serial="S1")
TWO = replace(ONE, port_path="1-2", serial="S2", product="busy")
FAR = replace(ONE, bus="usbip://127.0.0.1:3240", serial="S3", product="busy")
BUSES = [MemoryBus()]


def candidate(facts: DeviceFacts, *, known: bool = True) -> Candidate:
    return Candidate(Device(facts), MemoryDriver() if known else None, BUSES[0])


def test_the_only_phone_needs_no_name() -> None:
    mouse = candidate(TWO, known=False)
    assert select([mouse, candidate(ONE)], None, BUSES).facts == ONE


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("1-2", TWO),
        ("serial:S1", ONE),
        ("usbip://127.0.0.1:3240/1-1", FAR),
        ("mac:02-00-00-00-00-01", ONE),
        ("MAC:020000000001", ONE),
    ],
)
def test_selectors(selector: str, expected: DeviceFacts) -> None:
    found = [candidate(ONE), candidate(TWO), candidate(FAR)]
    assert select(found, selector, BUSES).facts == expected


def test_no_phone_names_the_buses() -> None:
    with pytest.raises(NoPhone, match="kernel"):
        select([], None, BUSES)
    with pytest.raises(NoPhone):
        select([], "1-1", BUSES)
    with pytest.raises(NoPhone):
        select([candidate(ONE, known=False)], None, BUSES)


def test_two_phones_and_no_selector_are_listed() -> None:
    with pytest.raises(AmbiguousPhone) as caught:
        select([candidate(ONE), candidate(TWO)], None, BUSES)
    assert [line.split()[0] for line in caught.value.attached] == ["1-1", "1-2"]
    assert caught.value.exit_code == 3


def test_the_same_path_on_two_buses_is_ambiguous() -> None:
    with pytest.raises(AmbiguousPhone):
        select([candidate(ONE), candidate(FAR)], "1-1", BUSES)
    assert candidate(ONE).address == "1-1"


@pytest.mark.parametrize("selector", ["1-7", "serial:S9", "mac:ff", "ghost:1"])
def test_a_selector_that_fits_none_lists_what_is_attached(selector: str) -> None:
    with pytest.raises(NoSuchPhone) as caught:
        select([candidate(ONE)], selector, BUSES)
    assert "serial:S1" in caught.value.attached[0]


def test_a_device_of_no_family_can_be_named_but_not_opened() -> None:
    chosen = select([candidate(ONE, known=False)], "1-1", BUSES)
    with pytest.raises(NoDriver):
        chosen.open()


def test_a_candidate_opens_its_phone() -> None:
    with closing(candidate(ONE).open()) as phone:
        assert phone.info().model == "M1"


class Detecting(MemoryDriver):
    detects_only = True


def detected(facts: DeviceFacts) -> Candidate:
    return Candidate(Device(facts), Detecting(), BUSES[0])


def test_a_phone_that_can_be_provisioned_is_meant_before_one_that_cannot() -> None:
    assert select([detected(TWO), candidate(ONE)], None, BUSES).facts == ONE
    assert select([detected(TWO), candidate(ONE)], "1-2", BUSES).facts == TWO


def test_phones_that_cannot_be_provisioned_count_while_there_are_no_others() -> None:
    assert select([detected(TWO), candidate(FAR, known=False)], None, BUSES).facts == TWO
    with pytest.raises(AmbiguousPhone):
        select([detected(TWO), detected(ONE)], None, BUSES)
