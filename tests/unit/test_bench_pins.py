"""PINs that are keyed in while the bench runs: the port waits, and the first answer counts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from doubles.bench import PIN, MemoryServers, Table, make_setup, phone, roster, table
from doubles.bus import MemoryDriver
from processes import wait_for

from usbprov.bench.pins import PinDesk
from usbprov.bench.secrets import KeyedPins, Secrets
from usbprov.bench.states import PortState
from usbprov.bench.views import PortView
from usbprov.errors import NoSuchPort, NotNow, PinUnusable
from usbprov.phone import registry

pytestmark = pytest.mark.timeout(120)

WAITING, DONE, FAILED = PortState.WAITING, PortState.DONE, PortState.FAILED


@pytest.fixture
def keyed() -> KeyedPins:
    return KeyedPins()


@pytest.fixture
def servers() -> MemoryServers:
    return MemoryServers()


@pytest.fixture
def desk(keyed: KeyedPins) -> PinDesk:
    made = PinDesk(keyed)
    made.attended = lambda: True
    return made


@pytest.fixture
def at(
    tmp_path: Path,
    keyed: KeyedPins,
    desk: PinDesk,
    servers: MemoryServers,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Table]:
    monkeypatch.setattr(registry, "drivers", lambda: (MemoryDriver(),))
    setup = replace(make_setup(replace(roster(2), _pins={})), secrets=Secrets((keyed,)), pins=desk)
    with table(tmp_path, setup, servers=servers) as running:
        yield running


def asking(at: Table, path: str) -> PortView:
    def asks() -> PortView | None:
        view = at.view(path)
        return view if view is not None and view.asks else None

    found: PortView = wait_for(asks, f"{path} to ask for a PIN")
    return found


def test_every_port_waits_for_its_own(at: Table, keyed: KeyedPins) -> None:
    at.plug("1-1", phone(1))
    first = asking(at, "1-1")
    at.plug("1-2", phone(2))
    second = asking(at, "1-2")
    assert (first.state, first.asks, first.hand) == (
        WAITING,
        "PIN of 1001",
        "key in the PIN of 1001",
    )
    assert second.asks == "PIN of 1002"

    at.bench.key_in("1-2", PIN)
    done = at.wait("1-2", DONE)
    assert (done.asks, done.user) == ("", "sip:u1002@contoso.test")
    assert asking(at, "1-1").state is WAITING
    at.bench.key_in("1-1", f" {PIN} ")
    at.wait("1-1", DONE)
    wait_for(lambda: not keyed._pins, "the PINs to be forgotten")


def test_the_first_answer_counts(at: Table, servers: MemoryServers) -> None:
    at.plug("1-1", phone(1))
    asking(at, "1-1")
    at.bench.key_in("1-1", PIN)
    with pytest.raises(NotNow, match="key in a PIN is not possible at port 1-1"):
        at.bench.key_in("1-1", "999999")
    at.wait("1-1", DONE)
    assert servers.calls.count(("ticket", "1001")) == 1


def test_what_is_no_pin_is_not_sent(at: Table, servers: MemoryServers) -> None:
    at.plug("1-1", phone(1))
    asking(at, "1-1")
    with pytest.raises(PinUnusable) as caught:
        at.bench.key_in("1-1", "72-05")
    assert "72-05" not in str(caught.value)
    assert asking(at, "1-1").state is WAITING
    assert servers.calls == []
    at.bench.key_in("1-1", PIN)
    at.wait("1-1", DONE)


def test_a_pin_is_taken_where_one_is_waited_for(at: Table) -> None:
    with pytest.raises(NoSuchPort):
        at.bench.key_in("1-1", PIN)
    at.plug("1-1", phone(1))
    asking(at, "1-1")
    at.bench.key_in("1-1", PIN)
    at.wait("1-1", DONE)
    with pytest.raises(NotNow):
        at.bench.key_in("1-1", PIN)


def test_one_that_is_left_out_fails_and_is_asked_for_again(at: Table) -> None:
    at.plug("1-1", phone(1))
    asking(at, "1-1")
    at.bench.key_in("1-1", None)
    failed = at.wait("1-1", FAILED)
    assert failed.trouble is not None
    assert failed.trouble.code == "ROS-05"
    assert failed.asks == ""
    at.bench.retry("1-1")
    asking(at, "1-1")
    at.bench.key_in("1-1", PIN)
    at.wait("1-1", DONE)


def test_a_refused_one_is_forgotten_and_keyed_in_again(
    at: Table, servers: MemoryServers, keyed: KeyedPins
) -> None:
    servers.wrong_pins.add("1001")
    at.plug("1-1", phone(1))
    asking(at, "1-1")
    at.bench.key_in("1-1", "999999")
    at.wait("1-1", FAILED)
    assert keyed._pins == {}
    servers.wrong_pins.clear()
    at.bench.retry("1-1")
    asking(at, "1-1")
    at.bench.key_in("1-1", PIN)
    at.wait("1-1", DONE)


def test_a_phone_that_is_pulled_waits_for_no_pin(at: Table) -> None:
    at.plug("1-1", phone(1))
    asking(at, "1-1")
    at.pull("1-1")
    away = at.wait("1-1", PortState.AWAY)
    assert away.asks == ""
    with pytest.raises(NotNow):
        at.bench.key_in("1-1", PIN)


def test_a_phone_that_is_left_out_waits_for_no_pin(at: Table) -> None:
    at.plug("1-1", phone(1))
    asking(at, "1-1")
    at.bench.skip("1-1")
    failed = at.wait("1-1", FAILED)
    assert failed.trouble is not None
    assert (failed.trouble.code, failed.asks) == ("BEN-07", "")


def test_a_bench_that_is_told_to_stop_waits_for_no_pin(at: Table) -> None:
    at.plug("1-1", phone(1))
    asking(at, "1-1")
    at.stop()
    wait_for(lambda: at.bench.view().running == 0, "the worker to end")


def test_where_nobody_can_key_in_a_pin_nobody_is_waited_for(at: Table, desk: PinDesk) -> None:
    desk.attended = lambda: False
    at.plug("1-1", phone(1))
    failed = at.wait("1-1", FAILED)
    assert failed.trouble is not None
    assert failed.trouble.code == "ROS-05"
