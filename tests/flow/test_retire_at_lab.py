"""``retire`` against the lab: the phone is empty, the ledger knows, the credential is no more."""

import json
from collections.abc import Iterator

import pytest
from check_desk import CheckDesk, check_desk
from cryptography.hazmat.primitives.asymmetric import padding, utils
from recovery_desk import Terminal, opened, recover, recover_with_pin, servers, signs_in, slot_of

from usbprov.errors import CertificateNotAccepted, PhoneGone
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState
from usbprov.net.credentials import CertificateCredential
from usbprov.phone.contract import ObjectKind, SlotState
from usbprov.phone.endpoint import endpoint_of
from usbprov.pki.keys import generate_rsa, to_pkcs8
from usbprov.registrar.client import Registrar, RegistrarAddress
from usbprov_drivers.smp.driver import SmpPhone


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckDesk]:
    folder = tmp_path_factory.mktemp("retirement")
    with check_desk(folder, phones=4, personality={"import-key": ""}) as desk:
        yield desk


@pytest.fixture
def desk(running: CheckDesk, capsys: pytest.CaptureFixture[str]) -> CheckDesk:
    running.capture = capsys
    return running


def states(desk: CheckDesk, serial: str) -> list[JobState]:
    with Ledger(desk.folder / "ledger.sqlite3") as ledger:
        return [job.state for job in ledger.jobs() if job.phone_serial == serial]


def expiring(desk: CheckDesk) -> list[str]:
    rows = json.loads(desk.run("expiring", "--within", "9999d", "--json")[1])
    return [row["phone"]["serial"] for row in rows]


def test_the_old_credential_is_worth_nothing_any_more(desk: CheckDesk) -> None:
    """Somebody has a copy of the key: only the revocation ends what he can do with it."""
    phone, facts, key = "serial:EMU0001", desk.lab.facts, generate_rsa()
    with opened(desk, phone) as there:
        there.import_key(0, to_pkcs8(key), bytes(16), replace=False)
        endpoint = endpoint_of(there.info().mac)
    desk.provision(phone, "--key", "existing")
    signs_in(desk, phone)
    with opened(desk, phone) as there:
        certificate = there.read(ObjectKind.CERTIFICATE, 0)
    credential = CertificateCredential(
        certificate, lambda block: key.sign(block, padding.PKCS1v15(), utils.NoDigestInfo())
    )
    alice = desk.user().sip_uri

    code, out, _ = desk.run("retire", phone, "--yes", "--json")
    told = json.loads(out)
    assert (code, told["outcome"], told["user"]) == (0, "retired", alice)
    assert told["revocation"]["command"] == f"Revoke-CsClientCertificate -Identity {alice}"
    assert slot_of(desk, phone) == SlotState(0)
    assert states(desk, "EMU0001") == [JobState.RETIRED, JobState.RETIRED]
    assert "EMU0001" not in expiring(desk)

    address = RegistrarAddress.parse(facts.registrar)
    with Registrar(address, ca_file=facts.ca_file) as registrar:
        registrar.sign_in(alice, credential, endpoint)
        assert desk.run("lab", "revoke", alice, "--dir", str(desk.folder / "lab"))[0] == 0
        with pytest.raises(CertificateNotAccepted):
            registrar.sign_in(alice, credential, endpoint)

    told_of = recover(desk, phone)  # nothing of its former life is remembered
    assert (told_of.met, told_of.error) == (["empty"], "RCV-03")
    assert recover_with_pin(desk, phone, *servers(desk)).code == 0
    signs_in(desk, phone)


@pytest.mark.parametrize("typed", ["EMU0001\n", "yes\n", "\n\n"])
def test_what_is_typed_must_be_this_phones(
    desk: CheckDesk, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    before = slot_of(desk, "serial:EMU0002"), states(desk, "EMU0002")
    assert desk.run("retire", "serial:EMU0002")[0] in {2, 9}
    assert (slot_of(desk, "serial:EMU0002"), states(desk, "EMU0002")) == before


def test_without_a_terminal_the_phone_must_be_named(desk: CheckDesk) -> None:
    where = str(desk.lab.facts.bus)
    with opened(desk, "serial:EMU0002") as there:
        port = there.facts.port_path
    assert desk.run("retire", f"{where}/{port}", "--yes")[0] == 2
    assert desk.run("retire", "serial:EMU0002")[0] == 2


def test_by_its_mac_and_other_phones_of_the_user_are_told(
    desk: CheckDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for phone in ("serial:EMU0002", "serial:EMU0003"):
        desk.provision(phone, name="bob")
    monkeypatch.setattr("sys.stdin", Terminal("02005E000002\n"))
    code, out, _ = desk.run("retire", "serial:EMU0002")
    assert code == 0
    bob = desk.user("bob").sip_uri
    assert f"Revoke-CsClientCertificate -Identity {bob}" in out
    assert "(EMU0003)" in out


def test_one_that_was_interrupted_goes_on(desk: CheckDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = "serial:EMU0004"
    desk.provision(phone, name="carol")
    erase = SmpPhone.erase

    def pulled(there: SmpPhone, slot: int) -> None:
        erase(there, slot)
        raise PhoneGone(there.facts.name)

    with monkeypatch.context() as patched:
        patched.setattr(SmpPhone, "erase", pulled)
        assert desk.run("retire", phone, "--yes")[0] == 3
    assert states(desk, "EMU0004") == [JobState.OPEN, JobState.DONE]
    code, out, _ = desk.run("retire", phone, "--yes", "--json")
    assert (code, json.loads(out)["user"]) == (0, desk.user("carol").sip_uri)
    assert states(desk, "EMU0004") == [JobState.RETIRED, JobState.RETIRED]
