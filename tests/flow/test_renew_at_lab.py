"""``renew`` and ``expiring`` against the lab: by the phone's certificate, or what is needed."""

import json
from collections.abc import Iterator

import pytest
from check_desk import CheckDesk, check_desk
from recovery_desk import give, signs_in, slot_of, tell


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckDesk]:
    with check_desk(tmp_path_factory.mktemp("renewal"), phones=4) as desk:
        yield desk


@pytest.fixture
def desk(running: CheckDesk, capsys: pytest.CaptureFixture[str]) -> Iterator[CheckDesk]:
    running.capture = capsys
    yield running
    running.heal()


def test_by_the_certificate_with_the_same_key_or_a_new_one(desk: CheckDesk) -> None:
    phone = "serial:EMU0001"
    desk.provision(phone)
    before = slot_of(desk, phone)
    told = tell(desk, "renew", phone, "--dry-run")
    assert (told.code, told.document["outcome"]) == (0, "planned")
    assert slot_of(desk, phone) == before

    told = tell(desk, "renew", phone)
    assert (told.code, told.met, told.document["outcome"]) == (
        0,
        ["renewal-wanted", "well"],
        "renewed",
    )
    renewed = slot_of(desk, phone)
    assert renewed.active_key == before.active_key
    assert renewed.active_certificate != before.active_certificate
    signs_in(desk, phone)

    told = tell(desk, "renew", phone, "--new-key")
    assert (told.code, told.document["job"]["key"]) == (0, "phone")
    assert slot_of(desk, phone).active_key != before.active_key
    signs_in(desk, phone)


def test_where_the_server_takes_no_certificates_a_pin_is_needed(desk: CheckDesk) -> None:
    phone, user = "serial:EMU0002", desk.user("bob")
    desk.provision(phone, name="bob")
    before = slot_of(desk, phone)
    desk.fault("auth-off=certificate")
    told = tell(desk, "renew", phone)
    assert (told.code, told.error) == (4, "WEB-08")
    assert slot_of(desk, phone) == before
    with desk.secret("pin", user.pin) as secret:
        told = tell(desk, "renew", phone, "--extension", user.extension, *secret)
    assert (told.code, told.document["outcome"]) == (0, "renewed")
    signs_in(desk, phone, name="bob")


def test_all_that_are_due_and_one_that_cannot(desk: CheckDesk) -> None:
    """Of four phones one is good for long, one is due, one is due and revoked, one is empty."""
    good, due, revoked = "serial:EMU0001", "serial:EMU0003", "serial:EMU0004"
    desk.provision(good, "--replace")
    give(desk, due, "short-validity=30")
    give(desk, revoked, "short-validity=30", name="carol")
    carol = desk.user("carol").sip_uri
    assert desk.run("lab", "revoke", carol, "--dir", str(desk.folder / "lab"))[0] == 0
    before = {phone: slot_of(desk, phone) for phone in (good, due, revoked)}

    told = tell(desk, "renew", "", "--all", "--dry-run")
    assert told.code == 0
    assert {phone: slot_of(desk, phone) for phone in before} == before

    told = tell(desk, "renew", "", "--all")
    outcomes = {row["phone"]["serial"]: row["outcome"] for row in told.document["phones"]}
    assert (told.code, told.error) == (10, "RCV-08")
    assert outcomes["EMU0001"] == "not-due"
    assert (outcomes["EMU0003"], outcomes["EMU0004"]) == ("renewed", "failed")
    assert slot_of(desk, good) == before[good]
    assert slot_of(desk, revoked) == before[revoked]
    signs_in(desk, due)

    ca_file = ("--ca-file", str(desk.lab.facts.ca_file))
    code, out, err = desk.run("renew", "--all", *ca_file)
    assert code == 10
    assert "✗ phone 1-4 (serial EMU0004)  error RCV-04: " in out
    assert out.endswith("\n4 phones attached, 1 due, 1 failed\n")
    assert "RCV-08" in err


def test_what_expires_is_in_the_ledger(desk: CheckDesk) -> None:
    phone = "serial:EMU0001"
    desk.provision(phone, "--replace")
    code, out, _ = desk.run("expiring", "--within", "365d", "--json")
    row = next(row for row in json.loads(out) if row["phone"]["serial"] == "EMU0001")
    assert code == 0
    assert (row["user"], row["days_left"]) == (desk.user().sip_uri, 179)
    assert row["sha256"] == slot_of(desk, phone).active_certificate
    code, out, _ = desk.run("expiring", "--within", "365d")
    assert (code, "EMU0001" in out) == (0, True)
    assert desk.run("expiring", "--within", "1h")[1].startswith("No certificate")
    assert desk.run("expiring", "--within", "soon")[0] == 2
