"""Ports, addresses and holders of an exporter's devices."""

import pytest
from doubles.usb_device import Recorder, phone_like

from usbprov.emulation.berths import Berths, bus_number
from usbprov.errors import LabUnusable


def nobody() -> None:
    pass


@pytest.mark.parametrize(("busid", "bus"), [("1-1", 1), ("3-2.4.1", 3), ("12-7", 12)])
def test_the_bus_stands_first(busid: str, bus: int) -> None:
    assert bus_number(busid) == bus


@pytest.mark.parametrize(
    "busid",
    ["", "1", "1-", "1-0", "0-1", "1-1.", "1-1.0", "a-1", "1-1\n", "1-1.1.1.1.1.1.1", "1-\u0661"],
)
def test_what_is_no_port_path_is_refused(busid: str) -> None:
    with pytest.raises(LabUnusable):
        bus_number(busid)


def test_addresses_are_unique_on_a_bus_and_not_used_again_at_once() -> None:
    berths = Berths()
    first = [berths.attach(f"1-{n}", phone_like(Recorder())).devnum for n in range(1, 4)]
    other = berths.attach("2-1", phone_like(Recorder())).devnum
    berths.detach("1-3")
    again = berths.attach("1-3", phone_like(Recorder())).devnum
    assert (first, other, again) == ([2, 3, 4], 2, 5)


def test_a_bus_has_126_addresses_for_devices() -> None:
    berths = Berths()
    device = phone_like(Recorder())
    numbers = {berths.attach(f"1-{n}", device).devnum for n in range(1, 127)}
    assert numbers == set(range(2, 128))
    with pytest.raises(LabUnusable):
        berths.attach("1-127", device)
    berths.detach("1-5")
    assert berths.attach("1-127", device).devnum == 6


def test_a_port_takes_one_device() -> None:
    berths = Berths()
    berths.attach("1-1", phone_like(Recorder()))
    with pytest.raises(LabUnusable):
        berths.attach("1-1", phone_like(Recorder()))


def test_a_device_has_one_holder() -> None:
    berths = Berths()
    berth = berths.attach("1-1", phone_like(Recorder()))
    assert berths.take(berth, nobody, 0)
    assert not berths.take(berth, nobody, 0)
    berths.free(berth)
    assert berths.take(berth, nobody, 0)


def test_only_what_is_plugged_in_is_found() -> None:
    berths = Berths()
    berth = berths.attach("1-1", phone_like(Recorder()))
    assert berths.find("1-1") is berth
    berth.device.unplug()
    assert berths.find("1-1") is None
    assert berths.plugged() == []
    assert berths.all() == [berth]
    assert berths.find("9-9") is None
