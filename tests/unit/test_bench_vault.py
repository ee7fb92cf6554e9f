"""Keys that a bench makes: the vault's, with one passphrase for all; and none is left sealed."""

from dataclasses import replace
from pathlib import Path

import pytest
from doubles.bench import NO_KEYGEN, make_setup, phone, roster, table
from doubles.bus import MemoryDriver
from doubles.phone import MemoryPhone
from sqlalchemy import func, select

from usbprov.engine.order import KeySource
from usbprov.ledger.schema import sealed
from usbprov.phone import registry
from usbprov.phone.contract import SlotState
from usbprov.pki.scrypt import Cost
from usbprov.pki.vault.vault import Vault

COUNT = 3


@pytest.fixture(autouse=True)
def memory_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "drivers", lambda: (MemoryDriver(),))


def test_each_phone_gets_a_pair_that_is_stored_and_a_second_time_the_same(tmp_path: Path) -> None:
    asked: list[bool] = []

    def passphrase(new: bool) -> str:
        asked.append(new)
        return "correct horse"

    vault = Vault(tmp_path / "vault", passphrase, cost=Cost(1 << 10, 8, 1))
    setup = make_setup(roster(COUNT))
    setup = replace(setup, vault=lambda: vault, order=replace(setup.order, key=KeySource.VAULT))
    phones = {f"1-{n}": phone(n, capabilities=NO_KEYGEN) for n in range(1, COUNT + 1)}
    with table(tmp_path, setup, phones=phones, once=True) as at:
        at.running.join(60)
        assert at.views[0].done == COUNT
        assert {job.key_source for job in at.ledger.jobs()} == {"vault"}
    first = {p.serial: key(p) for p in phones.values()}
    stored = {i.stored.entry.device.serial: i.stored.entry for i in vault.items() if i.stored}
    assert {name: entry.sha256 for name, entry in stored.items()} == first
    assert len({entry.user for entry in stored.values()}) == len(set(first.values())) == COUNT
    assert asked == [True]

    for each in phones.values():  # as after a reset in the factory's way
        each.slot, each.settings = SlotState(0), None
    with table(tmp_path, setup, phones=phones, once=True) as at:
        at.running.join(60)
        assert at.views[0].done == COUNT
    assert {p.serial: key(p) for p in phones.values()} == first
    assert asked == [True]


def key(of: MemoryPhone) -> str:
    assert of.slot.active_key is not None
    return of.slot.active_key.sha256


def test_no_key_is_left_sealed(tmp_path: Path) -> None:
    phones = {f"1-{n}": phone(n, capabilities=NO_KEYGEN) for n in range(1, COUNT + 1)}
    with table(tmp_path, make_setup(roster(COUNT)), phones=phones, once=True) as at:
        at.running.join(60)
        assert at.views[0].done == COUNT
        query = select(func.count()).select_from(sealed)
        assert at.ledger.database.read(lambda c: c.execute(query).scalar_one()) == 0
        at.ledger.verify()
        told = "SELECT count(*) FROM entry WHERE body LIKE '%sealing_key%'"
        seen = at.ledger.database.read(lambda c: c.exec_driver_sql(told).scalar_one())
        assert seen == COUNT
