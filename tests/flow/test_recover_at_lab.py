"""``recover`` against the lab: each way in which a phone stops working, and back to a sign-in.

Every test has a phone of its own, does to it what the test is named after, and ends when the
phone has signed in at the lab's Registrar.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from check_desk import CheckDesk, check_desk
from recovery_desk import (
    Alone,
    Terminal,
    Told,
    give,
    is_well,
    kill_provisions,
    opened,
    recover,
    recover_with_pin,
    servers,
    signs_in,
    slot_of,
)

from usbprov.phone.contract import Credential, ObjectKind, PhoneSettings
from usbprov.pki.keys import generate_rsa, key_digest, to_pkcs8
from usbprov_drivers.smp.state import StoredKey

_NUMBERS = count(1)
PHONES = 30


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckDesk]:
    with check_desk(tmp_path_factory.mktemp("recovery"), phones=PHONES) as desk:
        yield desk


@pytest.fixture
def desk(running: CheckDesk, capsys: pytest.CaptureFixture[str]) -> Iterator[CheckDesk]:
    running.capture = capsys
    yield running
    running.heal()


def untouched() -> str:
    return f"serial:EMU{next(_NUMBERS):04}"


@pytest.fixture
def phone() -> str:
    """A phone that no test has touched."""
    return untouched()


@pytest.fixture
def alone(desk: CheckDesk, tmp_path: "pytest.TempPathFactory") -> Iterator[Alone]:
    """A phone on a line of its own."""
    there = Alone(desk, tmp_path / "phone", PHONES + next(_NUMBERS))  # type: ignore[operator]
    yield there
    there.pull()


def recovered(told: Told, *met: str) -> None:
    assert told.code == 0, told.document
    assert told.met == [*met, "well"]
    assert told.document["outcome"] == "recovered"
    assert told.document["job"]["proof"]["sign_in"] is True


# --- a job that was interrupted

MOMENTS = {
    "key made": "key-without-answer",
    "issued": "issued-not-written",
    "written": "written-not-committed",
    "committed": "committed-unproved",
}


@pytest.fixture(scope="module")
def interrupted(running: CheckDesk) -> dict[str, str]:
    """Phones whose provisioning was killed, by the moment; one was in use, and was renewed."""
    phones = {moment: untouched() for moment in [*MOMENTS, "renewal"]}
    renewed = phones["renewal"]
    kill_provisions(
        running,
        [
            *((moment, phones[moment], []) for moment in MOMENTS),
            (None, renewed, []),
            ("issued", renewed, ["--replace", "--key", "existing"]),
        ],
    )
    return phones


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_job_that_was_killed(desk: CheckDesk, interrupted: dict[str, str], moment: str) -> None:
    phone, before = interrupted[moment], slot_of(desk, interrupted[moment])
    told = recover(desk, phone)
    if moment == "key made":
        assert (told.code, told.met, told.error) == (7, ["key-without-answer"], "RCV-04")
        assert slot_of(desk, phone) == before
        told = recover_with_pin(desk, phone)
    recovered(told, MOMENTS[moment])
    asked = "done" if moment == "key made" else "skipped"
    assert told.steps["ticket"] == told.steps["publish"] == asked
    assert slot_of(desk, phone).active_key == before.pending_key or before.active_key
    signs_in(desk, phone)


def test_a_certificate_of_a_job_that_was_given_up(
    desk: CheckDesk, interrupted: dict[str, str]
) -> None:
    """A renewal was killed after its answer, then somebody tried with a wrong extension."""
    phone = interrupted["renewal"]
    with desk.secret("pin", "999999") as secret:
        options = ("--extension", desk.user("bob").extension, *secret, "--replace")
        ca_file = ("--ca-file", str(desk.lab.facts.ca_file))
        assert desk.run("provision", phone, *options, *servers(desk), *ca_file)[0] == 7
    told = recover(desk, phone)
    recovered(told, "kept-certificate")
    assert "ticket" not in told.steps
    is_well(desk, phone)


# --- the certificate


def test_an_expired_certificate_and_a_key_that_is_fine(desk: CheckDesk, phone: str) -> None:
    give(desk, phone, "expired-cert")
    key = slot_of(desk, phone).active_key
    told = recover(desk, phone)
    assert (told.code, told.met, told.error) == (7, ["expired"], "RCV-04")
    recovered(recover_with_pin(desk, phone), "expired")
    assert slot_of(desk, phone).active_key == key
    signs_in(desk, phone)


def test_one_that_is_about_to_expire_renews_itself(desk: CheckDesk, phone: str) -> None:
    give(desk, phone, "short-validity=30")
    key = slot_of(desk, phone).active_key
    told = recover(desk, phone)
    recovered(told, "due")
    assert told.steps["ticket"] == "done"
    assert slot_of(desk, phone).active_key == key
    signs_in(desk, phone)


def test_one_that_is_not_valid_yet(desk: CheckDesk, phone: str) -> None:
    give(desk, phone, "clock-skew=86400")
    told = recover_with_pin(desk, phone)
    recovered(told, "unfit")
    signs_in(desk, phone)


def test_one_that_was_revoked(desk: CheckDesk, phone: str) -> None:
    desk.provision(phone, name="bob")
    bob = desk.user("bob").sip_uri
    assert desk.run("lab", "revoke", bob, "--dir", str(desk.folder / "lab"))[0] == 0
    key = slot_of(desk, phone).active_key
    assert recover(desk, phone).error == "RCV-04"
    recovered(recover_with_pin(desk, phone, name="bob"), "not-published")
    assert slot_of(desk, phone).active_key == key
    signs_in(desk, phone, name="bob")


def test_one_that_was_left_in_the_old_pool(desk: CheckDesk, phone: str) -> None:
    desk.provision(phone, name="carol")
    carol, folder = desk.user("carol").sip_uri, str(desk.folder / "lab")
    move = ("lab", "move", carol, "pool02.contoso.test", "--leave-certificates", "--dir", folder)
    assert desk.run(*move)[0] == 0
    recovered(recover_with_pin(desk, phone, name="carol"), "not-published")
    signs_in(desk, phone, name="carol")


# --- keys


def test_a_key_that_no_job_knows(desk: CheckDesk, phone: str) -> None:
    with opened(desk, phone) as there:
        key = there.generate_key(0, 2048, bytes(16), replace=False, progress=lambda _: None)
    recovered(recover_with_pin(desk, phone, *servers(desk)), "key-without-job")
    assert slot_of(desk, phone).active_key == key
    signs_in(desk, phone)


def test_an_empty_phone(desk: CheckDesk, phone: str) -> None:
    assert recover(desk, phone).error == "RCV-03"
    recovered(recover_with_pin(desk, phone, *servers(desk)), "empty")
    signs_in(desk, phone)


def test_a_key_that_does_not_match_its_certificate(alone: Alone) -> None:
    alone.plug().provision()
    alone.pull()
    key = generate_rsa()
    digest = bytes.fromhex(key_digest(key.public_key()))
    alone.change(key=StoredKey(to_pkcs8(key), bytes(16), digest))
    desk = alone.plug()
    told = recover_with_pin(desk, "")
    assert (told.code, told.error) == (4, "RCV-01")
    recovered(recover_with_pin(desk, "", "--replace"), "key-mismatch")
    signs_in(desk, "")


def test_a_phone_that_lost_its_key_gets_it_back_from_the_vault(alone: Alone) -> None:
    alone.personality = {"no-keygen": ""}
    desk = alone.plug()
    folder = ("--vault", str(desk.folder / "vault"))

    def vault(recovered_by: Callable[..., Told], at: CheckDesk, *more: str) -> Told:
        with at.secret("vault-passphrase", "a passphrase of the tests") as secret:
            return recovered_by(at, "", *folder, *secret, *more)

    with desk.secret("vault-passphrase", "a passphrase of the tests") as secret:
        desk.provision("--key", "vault", *folder, *secret)
    before = slot_of(desk, "")
    assert before.active_key is not None
    alone.pull()
    alone.change(key=None, certificate=None, settings=None)
    desk = alone.plug()
    told = vault(recover, desk, "--offline")
    assert (told.code, told.met) == (0, ["key-and-certificate-kept", "well"])
    restored = slot_of(desk, "")
    assert restored.active_certificate == before.active_certificate
    assert restored.active_key is not None
    assert restored.active_key.sha256 == before.active_key.sha256
    is_well(desk, "")

    alone.pull()
    alone.change(key=None, certificate=None, settings=None)
    elsewhere = replace(alone.plug(), folder=alone.folder)  # whose ledger knows no certificate
    user = ("--user", desk.user().sip_uri, *servers(desk))
    recovered(vault(recover_with_pin, elsewhere, *user), "key-in-vault")
    retrieved = slot_of(elsewhere, "").active_key
    assert retrieved is not None
    assert retrieved.sha256 == before.active_key.sha256


# --- whose phone it is


def test_somebody_elses_phone_is_left_alone(desk: CheckDesk, phone: str) -> None:
    desk.provision(phone, name="bob")
    before = slot_of(desk, phone)
    user = ("--user", desk.user().sip_uri)
    told = recover_with_pin(desk, phone, *user)
    assert (told.code, told.met, told.error) == (4, ["other-user"], "RCV-01")
    assert slot_of(desk, phone) == before
    recovered(recover_with_pin(desk, phone, *user, "--replace"), "other-user")
    assert slot_of(desk, phone).active_key != before.active_key
    signs_in(desk, phone)


def test_at_a_terminal_it_is_asked_whether_a_key_may_be_given_up(
    desk: CheckDesk, phone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.provision(phone, name="bob")
    before = slot_of(desk, phone)
    alice, ca_file = desk.user(), ("--ca-file", str(desk.lab.facts.ca_file))
    for answer, code in (("n\n", 4), ("y\n", 0)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        with desk.secret("pin", alice.pin) as secret:
            options = ("--user", alice.sip_uri, "--extension", alice.extension, *secret)
            ended, out, _ = desk.run("recover", phone, *options, *ca_file)
        assert (ended, "give up what the phone holds?" in out) == (code, True)
        assert (slot_of(desk, phone) == before) is (code == 4)
    signs_in(desk, phone)


def test_a_phone_of_another_computers_ledger_is_adopted(desk: CheckDesk, phone: str) -> None:
    desk.provision(phone)
    before = slot_of(desk, phone)
    elsewhere = replace(desk, folder=desk.folder / "elsewhere")
    elsewhere.folder.mkdir()
    recovered(recover(elsewhere, phone), "unrecorded")
    assert slot_of(elsewhere, phone) == before
    assert recover(elsewhere, phone).met == ["well"]
    is_well(desk, phone)


# --- clock, roots, settings


def test_a_clock_that_is_wrong(desk: CheckDesk, phone: str) -> None:
    desk.provision(phone)
    with opened(desk, phone) as there:
        there.set_clock(datetime.now(UTC) - timedelta(days=400))
    told = recover(desk, phone)
    recovered(told, "clock-wrong")
    assert "ticket" not in told.steps
    signs_in(desk, phone)


def test_roots_that_were_erased(alone: Alone) -> None:
    alone.plug().provision()
    alone.pull()
    alone.change(roots=())
    desk = alone.plug()
    told = recover(desk, "")
    recovered(told, "roots-missing")
    assert told.steps["trust"] == "done"
    is_well(desk, "")


def test_settings_that_are_wrong(desk: CheckDesk, phone: str) -> None:
    desk.provision(phone)
    before = slot_of(desk, phone)
    with opened(desk, phone) as there:
        wrong = PhoneSettings("sip:bob@contoso.test", "https://elsewhere.test/x.svc", "old.test")
        certificate = there.read(ObjectKind.CERTIFICATE, 0)
        credential = Credential(certificate, [certificate])  # any chain will do
        there.install(0, credential, wrong, lambda _: None)
    told = recover(desk, phone)
    recovered(told, "settings-wrong")
    assert "ticket" not in told.steps
    assert slot_of(desk, phone) == before
    with opened(desk, phone) as there:
        assert there.read(ObjectKind.CHAIN, 0) == credential.certificate
    signs_in(desk, phone)


def test_settings_that_are_lost(alone: Alone) -> None:
    alone.plug().provision()
    alone.pull()
    alone.change(settings=None)
    desk = alone.plug()
    told = recover(desk, "", "--offline")
    assert (told.code, told.met) == (0, ["settings-missing", "well"])
    is_well(desk, "")


def test_wrong_settings_beside_a_key_that_waits(desk: CheckDesk, phone: str) -> None:
    desk.provision(phone)
    with opened(desk, phone) as there:
        key = there.generate_key(0, 2048, bytes(16), replace=True, progress=lambda _: None)
    told = recover(desk, phone, "--registrar", "localhost:1", "--no-sign-in")
    assert told.met == ["settings-blocked", "well"]
    assert slot_of(desk, phone).active_key == key
    recovered(recover(desk, phone, *servers(desk)), "settings-wrong")
    signs_in(desk, phone)


def test_several_troubles_at_once_are_one_job(alone: Alone) -> None:
    desk = alone.plug()
    give(desk, "", "expired-cert")
    with opened(desk, "") as there:
        there.set_clock(datetime.now(UTC) + timedelta(days=3))
    alone.pull()
    alone.change(roots=(), settings=None)
    desk = alone.plug()
    told = recover_with_pin(desk, "", *servers(desk))
    recovered(told, "clock-wrong", "roots-missing", "expired")
    is_well(desk, "")


# --- without servers


def test_what_needs_a_server_is_said_and_the_rest_is_done(desk: CheckDesk, phone: str) -> None:
    give(desk, phone, "expired-cert")
    with opened(desk, phone) as there:
        there.set_clock(datetime.now(UTC) + timedelta(days=3))
    before = slot_of(desk, phone)

    code, out, _ = desk.run("recover", phone, "--dry-run", "--offline")
    assert code == 0
    assert "expired: the certificate has expired\n    lacking  " in out
    assert "clock-wrong: the phone's clock is wrong\n    do       set the phone's clock\n" in out

    told = recover_with_pin(desk, phone, "--offline")
    assert (told.code, told.met, told.error) == (5, ["clock-wrong", "expired"], "RCV-02")
    assert told.steps["clock"] == "done"
    assert "usbprov prepare" in told.document["error"]["remedy"]

    url = "https://localhost:1/CertProv/CertProvisioningService.svc"
    told = recover_with_pin(desk, phone, "--web-services-url", url)
    assert (told.code, told.met, told.error) == (5, ["expired"], "RCV-02")
    assert "localhost:1" in told.document["error"]["message"]

    assert slot_of(desk, phone) == before
    recovered(recover_with_pin(desk, phone), "expired")
    signs_in(desk, phone)
