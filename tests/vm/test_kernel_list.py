"""Phones on the kernel's bus are listed as what they are, however many there are."""

from kernel_usb import Desk, ttys
from technician import Workplace

MANY = 32


def test_two_phones_are_listed_where_the_kernel_has_them(workplace: Workplace, desk: Desk) -> None:
    workplace.plug(2)
    places = desk.plug("1-1", "1-2")
    listed = workplace.run("list", "--json")
    assert listed.code == 0, listed.err
    found = {row["port_path"]: row for row in listed.document}
    assert found.keys() == set(places)
    assert [found[place]["serial"] for place in places] == ["EMU0001", "EMU0002"]
    assert {row["driver"] for row in listed.document} == {"smp"}
    assert {row["problem"] for row in listed.document} == {None}
    assert all(ttys(place) for place in places)


def test_many_phones_are_listed_at_once(workplace: Workplace, desk: Desk) -> None:
    workplace.plug(MANY)
    busids = workplace.exported()
    assert len(busids) == MANY
    places = desk.plug(*busids)
    listed = workplace.run("list", "--json")
    assert listed.code == 0, listed.err
    assert {row["port_path"] for row in listed.document} == set(places)
    assert {row["serial"] for row in listed.document} == {
        f"EMU{number:04}" for number in range(1, MANY + 1)
    }
    assert {row["problem"] for row in listed.document} == {None}
