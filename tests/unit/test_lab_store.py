"""The user store of a home pool: publication by (user, device), and PIN lock-out."""

import sqlite3
import stat
import threading
from datetime import UTC, datetime

import pytest

from usbprov.errors import LabUnusable
from usbprov.lab.store import NewCertificate, PinOutcome, PoolStore, published, revoke
from usbprov.lab.users import DEFAULT_USERS

ALICE, BOB, _ = DEFAULT_USERS
RIGHT, WRONG, LOCKED = PinOutcome.RIGHT, PinOutcome.WRONG, PinOutcome.LOCKED


def certificate(name: str) -> NewCertificate:
    day = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return NewCertificate(name.encode(), name, "0a", day, day.replace(year=2027))


@pytest.fixture
def store(tmp_path):
    (tmp_path / "stores").mkdir()
    store = PoolStore(tmp_path / "stores" / "pool01.contoso.test.sqlite")
    store.create()
    return store


def test_one_certificate_for_a_user_and_device(store):
    store.publish(ALICE, "device-1", certificate("old"))
    store.publish(ALICE, "device-2", certificate("other device"))
    store.publish(BOB, "device-1", certificate("other user"))
    store.publish(ALICE, "device-1", certificate("new"))
    rows = {(p.sip_uri, p.device_id): p.sha256 for p in store.publications()}
    assert rows == {
        (ALICE.sip_uri, "device-1"): "new",
        (ALICE.sip_uri, "device-2"): "other device",
        (BOB.sip_uri, "device-1"): "other user",
    }


def test_a_row_has_what_is_listed(store):
    store.publish(ALICE, "device-1", certificate("c"))
    (found,) = store.publications()
    assert found.row() == {
        "sip_uri": ALICE.sip_uri,
        "device_id": "device-1",
        "sha256": "c",
        "serial": "0a",
        "not_before": "2026-01-02T03:04:05Z",
        "not_after": "2027-01-02T03:04:05Z",
        "pool": "pool01.contoso.test",
    }


def test_listing_and_revoking_from_the_folder(store, tmp_path):
    store.publish(ALICE, "device-1", certificate("a"))
    store.publish(BOB, "device-1", certificate("b"))
    second = PoolStore(tmp_path / "stores" / "pool02.contoso.test.sqlite")
    second.create()
    second.publish(ALICE, "device-1", certificate("moved"))
    assert [p.pool[:6] for p in published(tmp_path)] == ["pool01", "pool01", "pool02"]
    assert revoke(tmp_path, "sip:ALICE@contoso.test") == 2
    assert [p.sip_uri for p in published(tmp_path)] == [BOB.sip_uri]


def test_five_wrong_pins_lock_the_user_and_nobody_else(store):
    assert [store.try_pin(ALICE, "9999") for _ in range(6)] == [WRONG] * 5 + [LOCKED]
    assert store.try_pin(ALICE, ALICE.pin) is LOCKED
    assert store.try_pin(BOB, BOB.pin) is RIGHT
    store.unlock(ALICE.sip_uri)
    assert store.try_pin(ALICE, ALICE.pin) is RIGHT


def test_a_right_pin_forgets_the_wrong_ones(store):
    for _ in range(2):
        assert [store.try_pin(ALICE, "9999") for _ in range(4)] == [WRONG] * 4
        assert store.try_pin(ALICE, ALICE.pin) is RIGHT


def test_the_count_outlives_the_object(store, tmp_path):
    for _ in range(5):
        store.try_pin(ALICE, "9999")
    again = PoolStore(tmp_path / "stores" / "pool01.contoso.test.sqlite")
    again.create()
    assert again.try_pin(ALICE, ALICE.pin) is LOCKED


def test_many_tries_at_once_are_all_counted(store):
    """No more than five guesses get an answer, however they race."""
    outcomes = []

    def guess():
        outcomes.append(store.try_pin(ALICE, "9999"))

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(WRONG) == 5
    assert outcomes.count(LOCKED) == 15


def test_the_file_is_private(store, tmp_path):
    store.try_pin(ALICE, "9999")
    for path in (tmp_path / "stores").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path):
    with pytest.raises(sqlite3.Error):
        PoolStore(tmp_path / "none.sqlite").publications()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_store_is_named(tmp_path):
    (tmp_path / "stores").mkdir()
    (tmp_path / "stores" / "pool01.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(LabUnusable, match="user store"):
        published(tmp_path)
