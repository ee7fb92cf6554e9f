"""A held phone: locked by place and by identity, found again, and never mistaken for another."""

from pathlib import Path

import pytest
from doubles.bus import MemoryBus, MemoryDriver
from doubles.phone import MemoryPhone

from usbprov.errors import JobBusy, PhoneBusy, PhoneChanged, PhoneGone
from usbprov.phone import registry
from usbprov.phone.candidates import Candidate, Reach, candidates
from usbprov.phone.holding import hold
from usbprov.usb.locks import PhoneLocks


@pytest.fixture(autouse=True)
def _only_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "drivers", lambda: (MemoryDriver(),))


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(phones={"1-1": MemoryPhone(), "1-2": other_phone()})


@pytest.fixture
def found(bus: MemoryBus, tmp_path: Path) -> list[Candidate]:
    return candidates([bus], Reach(locks=PhoneLocks(tmp_path)))


def other_phone() -> MemoryPhone:
    return MemoryPhone(serial="MEM2", mac="02:00:00:00:00:02")


def test_it_is_open_within_the_block_and_closed_after(found: list[Candidate]) -> None:
    with hold(found[0]) as held:
        phone = held.phone
        assert phone.info().serial == "MEM1"
    assert isinstance(phone, MemoryPhone)
    assert phone.calls[-1] == "close"


def test_a_second_program_at_the_same_port_is_refused(found: list[Candidate]) -> None:
    with hold(found[0]), pytest.raises(PhoneBusy, match="this usbprov"), hold(found[0]):
        pass


def test_the_same_phone_by_another_way_is_refused(bus: MemoryBus, tmp_path: Path) -> None:
    locks = Reach(locks=PhoneLocks(tmp_path))
    far = MemoryBus("usbip://127.0.0.1:3240", {"1-1": bus.phones["1-1"]})
    near, distant = candidates([bus], locks)[0], candidates([far], locks)[0]
    with hold(near) as one, hold(distant) as two:
        one.bind(one.phone.identity())
        with pytest.raises(JobBusy):
            two.bind(two.phone.identity())


def test_two_phones_are_held_side_by_side(found: list[Candidate]) -> None:
    with hold(found[0]) as one, hold(found[1]) as two:
        one.bind(one.phone.identity())
        two.bind(two.phone.identity())


def test_it_is_waited_for_and_opened_again(bus: MemoryBus, found: list[Candidate]) -> None:
    with hold(found[0]) as held:
        held.bind(held.phone.identity())
        came_back = MemoryPhone()
        bus.phones["1-1"] = came_back
        assert held.wait_back(5) is came_back is held.phone
    assert came_back.calls[-1] == "close"


def test_one_that_stays_away_is_gone_in_the_end(bus: MemoryBus, found: list[Candidate]) -> None:
    with hold(found[0]) as held:
        del bus.phones["1-1"]
        with pytest.raises(PhoneGone):
            held.wait_back(0.3)


def test_an_exporter_that_is_down_is_a_phone_that_is_gone(
    bus: MemoryBus, found: list[Candidate]
) -> None:
    with hold(found[0]) as held:
        bus.down = True
        with pytest.raises(PhoneGone):
            held.wait_back(0.3)


def test_another_phone_at_the_port_ends_the_wait_at_once(
    bus: MemoryBus, found: list[Candidate]
) -> None:
    with hold(found[0]) as held:
        held.bind(held.phone.identity())
        stranger = other_phone()
        bus.phones["1-1"] = stranger
        with pytest.raises(PhoneChanged, match="MEM2"):
            held.wait_back(60)
    assert set(stranger.calls) == {"identity", "close"}


def test_two_phones_of_one_serial_number_are_told_apart_by_their_mac(
    bus: MemoryBus, found: list[Candidate]
) -> None:
    with hold(found[0]) as held:
        held.bind(held.phone.identity())
        bus.phones["1-1"] = MemoryPhone(mac="02:00:00:00:00:99")
        with pytest.raises(PhoneChanged):
            held.wait_back(60)


def test_a_phone_exchanged_behind_a_serial_line_is_noticed(found: list[Candidate]) -> None:
    with hold(found[0]) as held:
        held.bind(held.phone.identity())
        held.verify()
        assert isinstance(held.phone, MemoryPhone)
        held.phone.serial = "MEM9"
        with pytest.raises(PhoneChanged, match="serial MEM9"):
            held.verify()


def test_a_phone_at_whose_cable_no_other_can_be_is_not_asked_again(found: list[Candidate]) -> None:
    with hold(found[0]) as held:
        held.bind(held.phone.identity())
        assert isinstance(held.phone, MemoryPhone)
        held.phone.may_be_exchanged = False
        asked = held.phone.calls.copy()
        held.verify()
        assert held.phone.calls == asked
