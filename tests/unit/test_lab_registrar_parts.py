"""Parts of the lab's Registrar by themselves: endpoints, records, associations, moves, tables."""

import sqlite3
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from lab_parts import NOW

from usbprov.errors import LabUnusable
from usbprov.lab.layout import Layout
from usbprov.lab.moves import move
from usbprov.lab.policy import DSK_TLS
from usbprov.lab.registrar.associations import LONGEST, Association, Associations
from usbprov.lab.registrar.endpoints import Device, derive_instance, read_device
from usbprov.lab.registrar.handshake import VERSIONS
from usbprov.lab.registrar.journal import Journal
from usbprov.lab.registrar.negotiations import Claim
from usbprov.lab.registrar.records import record, records, repack
from usbprov.lab.registrar.refusals import Refusal, Refused
from usbprov.lab.registrar.signatures import Signed
from usbprov.lab.registrar.signins import CLOSED, SIGNED_IN, SIGNED_OUT, SignIn, SignIns, sign_ins
from usbprov.lab.registrar.values import parse_address, parse_credentials
from usbprov.lab.store import NewCertificate, PoolStores, published
from usbprov.lab.users import DEFAULT_USERS, read_users, write_users

PAGE = Path(__file__).parents[2] / "docs" / "lab.md"


@pytest.mark.parametrize(
    ("epid", "instance"),
    [
        ("01010101", "4b1682a8-f968-5701-83fc-7c6741dc6697"),
        ("2ebb6f264f", "124841e4-264d-52e8-96c5-d22aa8cdc316"),
        ("c8ca638a15", "34d859db-6585-5f91-a3b4-de853c15347d"),
    ],
)
def test_the_instance_derives_from_the_epid(epid: str, instance: str):
    assert derive_instance(epid) == uuid.UUID(instance)
    contact = parse_address(f'<sip:x@y>;+sip.instance="<urn:uuid:{instance.upper()}>"')
    sender = parse_address(f"<sip:a@b>;tag=1;epid={epid}")
    assert read_device(sender, contact).instance == uuid.UUID(instance)


def test_an_instance_that_is_none():
    with pytest.raises(Refused) as caught:
        read_device(
            parse_address("<sip:a@b>;epid=01"), parse_address('<sip:x@y>;+sip.instance="<urn:x>"')
        )
    assert caught.value.refusal is Refusal.ENDPOINTS_DIFFER


def test_the_page_has_every_refusal():
    section = PAGE.read_text().partition("## Refusals of the Registrar\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    told = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    made = [[f"{r.status} {r.phrase}", str(r.number or ""), r.words] for r in Refusal]
    assert told == made
    numbers = [r.number for r in Refusal if r.number]
    assert len(set(numbers)) == len(numbers)


def test_diagnostics():
    assert Refusal.HANDSHAKE.diagnostics("fe01.test") == (
        '1000;reason="Final handshake failed.";source="fe01.test"'
    )
    assert Refusal.MALFORMED.diagnostics("fe01.test") == ""


def test_every_policy_of_tls_is_known():
    assert set(VERSIONS) == set(DSK_TLS)


# --- records -----------------------------------------------------------------------------------


def test_messages_in_the_clear_become_one_record():
    flight = b"".join(record(22, b"\3\1", part) for part in (b"hello", b"certificate", b"done"))
    assert repack(flight) == record(22, b"\3\1", b"hellocertificatedone")


def test_what_is_encrypted_stays_as_it_is():
    flight = record(20, b"\3\1", b"\1") + record(22, b"\3\1", b"encrypted")
    assert repack(flight) == flight
    assert repack(record(22, b"\3\1", b"ticket") + flight).endswith(flight)


def test_very_long_messages_fill_records():
    long = b"".join(record(22, b"\3\3", bytes(10000)) for _ in range(3))
    assert [len(part) for _, _, part in records(repack(long))] == [16384, 13616]


# --- associations ------------------------------------------------------------------------------


class Agreeing:
    complete = True
    details = ("", "")

    def __init__(self, end=None):
        self.end = end

    def step(self, token):
        return b""

    def prove(self, claim, now):
        return self.end

    def sign(self, text, *, wrongly=False):
        return text

    def verify(self, text, told):
        return True


CLAIM = Claim("sip:a@b.test", None, Device("", uuid.UUID(int=1)))
SIGNED = Signed("NTLM", "realm", "target")


@pytest.mark.parametrize(
    ("end", "life"),
    [
        (None, LONGEST),
        (NOW + timedelta(hours=1), timedelta(hours=1)),
        (NOW + timedelta(days=180), LONGEST),
    ],
)
def test_an_association_lives_no_longer_than_its_proof(end, life):
    association = Association("1", "id", SIGNED, Agreeing(end))
    association.prove(CLAIM, NOW)
    assert association.ends == NOW + life


def test_there_are_never_many_at_a_connection():
    held = Associations()
    made = [held.begin(f"call {number}", SIGNED, Agreeing()) for number in range(40)]
    assert len(held.all()) == 16
    assert held.all()[-1] is made[-1]


def test_a_handshake_that_begins_anew_gives_the_old_one_up():
    held = Associations()
    held.begin("call", SIGNED, Agreeing())
    second = held.begin("call", SIGNED, Agreeing())
    assert held.all() == [second]


def test_an_opaque_of_another_scheme_is_none():
    held = Associations()
    opaque = held.begin("call", SIGNED, Agreeing()).opaque
    assert held.find(parse_credentials(f'NTLM opaque="{opaque}"')) is not None
    assert held.find(parse_credentials(f'TLS-DSK opaque="{opaque}"')) is None


# --- the list of sign-ins ----------------------------------------------------------------------


def entry(outcome: str = SIGNED_IN, uri: str = "sip:a@b.test") -> SignIn:
    return SignIn("2012-05-01T08:00:00Z", uri, "1", "NTLM", "", "", "localhost:1", outcome)


def test_the_list_is_kept_and_changed(tmp_path):
    held = SignIns(Layout(tmp_path).sign_ins)
    number = held.add(entry())
    held.add(entry("refused 403 4004"))
    held.change(number, SIGNED_OUT)
    held.close()
    held.change(number, SIGNED_IN)  # too late, and no error
    assert [one.outcome for one in sign_ins(tmp_path)] == [SIGNED_OUT, "refused 403 4004"]


@pytest.mark.parametrize("outcome", [SIGNED_IN, SIGNED_OUT, "refused 403 4141", "sent to a:1"])
def test_only_who_is_signed_in_is_cut_off(tmp_path, outcome):
    listed = SignIns(Layout(tmp_path).sign_ins)
    listed.cut(listed.add(entry(outcome)))
    listed.close()
    (found,) = sign_ins(tmp_path)
    assert found.outcome == (CLOSED if outcome == SIGNED_IN else outcome)


def test_what_a_client_sent_is_shown_harmless_and_short(tmp_path):
    held = SignIns(Layout(tmp_path).sign_ins)
    held.add(entry(uri="sip:\x1b[31m" + "a" * 1000))
    held.close()
    (shown,) = sign_ins(tmp_path)
    assert "\x1b" not in shown.sip_uri
    assert len(shown.sip_uri) == 200


@pytest.mark.parametrize(
    ("outcome", "after"),
    [
        (SIGNED_IN, CLOSED),
        (SIGNED_OUT, SIGNED_OUT),
        ("sent to localhost:2", "sent to localhost:2"),
        ("refused 403 4141", "refused 403 4141"),
    ],
)
def test_the_end_of_the_connection_ends_only_what_goes_on(tmp_path, outcome, after):
    held = SignIns(Layout(tmp_path).sign_ins)
    journal = Journal(held, "localhost:1", lambda: NOW)
    association = Association("1", "id", SIGNED, Agreeing())
    journal.tell(association, CLAIM.sip_uri, CLAIM, outcome)
    journal.close(association)
    held.close()
    (row,) = sign_ins(tmp_path)
    assert (row.outcome, row.device_id) == (after, str(CLAIM.device.instance))


def test_no_lab_and_no_list(tmp_path):
    with pytest.raises(LabUnusable, match="holds no lab"):
        sign_ins(tmp_path)
    Layout(tmp_path).sign_ins.write_text("no database")
    with pytest.raises(LabUnusable):
        sign_ins(tmp_path)


# --- moved users, bounded numbers --------------------------------------------------------------

ALICE, BOB = DEFAULT_USERS[:2]


def certificate(number: int) -> NewCertificate:
    return NewCertificate(bytes([number]), f"{number:064}", "1", NOW, NOW + timedelta(days=1))


@pytest.fixture
def stores(tmp_path) -> PoolStores:
    write_users(Layout(tmp_path).users, DEFAULT_USERS, {"ticket_hours": 4})
    made = PoolStores(Layout(tmp_path).stores)
    made.create(DEFAULT_USERS)
    made.of(ALICE).publish(ALICE, "device", certificate(1))
    made.of(BOB).publish(BOB, "device", certificate(2))
    return made


def test_a_move_counts_at_once_and_takes_the_certificates(tmp_path, stores):
    move(tmp_path, ALICE.sip_uri.upper().replace("SIP:", "sip:"), "pool02.contoso.test")
    assert stores.of(ALICE).pool == "pool02.contoso.test"
    assert stores.of(BOB).pool == "pool01.contoso.test"
    pools = {(one.sip_uri, one.pool) for one in published(tmp_path)}
    assert pools == {
        (ALICE.sip_uri, "pool02.contoso.test"),
        (BOB.sip_uri, "pool01.contoso.test"),
    }
    assert read_users(Layout(tmp_path).users)[0].home_pool == "pool02.contoso.test"
    assert "ticket_hours = 4" in Layout(tmp_path).users.read_text()


def test_a_move_that_gets_stuck_is_finished_by_the_next_start(tmp_path, stores):
    move(tmp_path, ALICE.sip_uri, "pool02.contoso.test", with_certificates=False)
    assert stores.of(ALICE).device_of(ALICE.sip_uri, certificate(1).sha256) is None
    stores.create(read_users(Layout(tmp_path).users))
    moved = replace(ALICE, home_pool="pool02.contoso.test")
    assert stores.of(moved).device_of(ALICE.sip_uri, certificate(1).sha256) == "device"


def test_back_and_forth(tmp_path, stores):
    for pool in ("pool02.contoso.test", "pool03.contoso.test", "pool01.contoso.test"):
        move(tmp_path, ALICE.sip_uri, pool)
        assert stores.of(ALICE).pool == pool
        assert stores.of(ALICE).device_of(ALICE.sip_uri, certificate(1).sha256) == "device"


@pytest.mark.parametrize(
    ("uri", "pool", "words"),
    [
        ("sip:nobody@contoso.test", "pool02.contoso.test", "no user"),
        (ALICE.sip_uri, "../elsewhere", "no FQDN"),
        (ALICE.sip_uri, "", "no FQDN"),
    ],
)
def test_a_move_that_cannot_be(tmp_path, stores, uri, pool, words):
    with pytest.raises(LabUnusable, match=words):
        move(tmp_path, uri, pool)


def test_a_move_without_a_lab(tmp_path):
    with pytest.raises(LabUnusable, match="holds no lab"):
        move(tmp_path, ALICE.sip_uri, "pool02.contoso.test")


def test_a_store_that_is_broken_is_told(tmp_path, stores, monkeypatch):
    def broken(*_):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("usbprov.lab.store.PoolStore.take_over", broken)
    with pytest.raises(LabUnusable, match="disk I/O error"):
        move(tmp_path, ALICE.sip_uri, "pool02.contoso.test")


def test_a_bounded_number_of_certificates_makes_the_oldest_go(tmp_path, stores):
    for number in (3, 4, 5):
        stores.of(ALICE).publish(ALICE, f"device {number}", certificate(number), most=2)
    devices = [one.device_id for one in published(tmp_path) if one.sip_uri == ALICE.sip_uri]
    assert devices == ["device 4", "device 5"]
    assert len(published(tmp_path)) == 3
