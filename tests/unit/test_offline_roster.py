"""``prepare --roster``: a file for every phone of a roster; who fails stops nobody else."""

import json
import stat
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from doubles.registrar import MemoryRegistrar
from doubles.services import MemoryServices

from usbprov.cli import preparing
from usbprov.cli.main import run
from usbprov.cli.provisioning import Manner
from usbprov.engine.job import Job
from usbprov.errors import CredentialRefused, ExitCode
from usbprov.offline.envelope import Lock
from usbprov.offline.files import open_sealed
from usbprov.pki.keys import generate_rsa
from usbprov.pki.scrypt import Cost

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
ROSTER = """extension,sip address,mac,serial
1001,alice@contoso.test,00:04:f2:00:00:01,
1002,bob@contoso.test,0004f2000002,S2
1003,carol@contoso.test,0004.f200.0003,
"""
PINS = {"1001": "720511", "1002": "720522", "1003": "720533"}
NAMES = [f"{1000 + n}-0004f200000{n}.usbprov" for n in (1, 2, 3)]
PASSPHRASE = "correct horse battery"
LOCK = Lock.new(PASSPHRASE, Cost(1 << 12, 8, 1))
KEY = generate_rsa()


class Server(MemoryServices):
    """Says to each user who he is, by his PIN; and counts every PIN that it gets."""

    def __init__(self, right: dict[str, str]) -> None:
        super().__init__()
        self.right = right
        self.tried: list[str] = []

    def ticket(self, credential, endpoint, user):
        self.tried.append(credential.name if hasattr(credential, "name") else user)
        secret = getattr(credential, "pin", None) or credential.password
        if secret not in self.right.values():
            raise CredentialRefused("pool", "the PIN is wrong")
        self.user = user
        return super().ticket(credential, endpoint, user)


@dataclass
class Office:
    folder: Path
    server: Server
    typed: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[Path]:
        return [self.folder / "out" / name for name in NAMES]

    def prepare(self, *more: str) -> int:
        roster, out = str(self.folder / "users.csv"), str(self.folder / "out")
        given = ["--roster", roster, "--out", out, "--web-services-url", URL, *more]
        return run(["prepare", *given, "--json"])

    def write_pins(self, pins: dict[str, str]) -> list[str]:
        file = self.folder / "pins.toml"
        lines = [f'{extension} = "{pin}"' for extension, pin in pins.items()]
        file.write_text("\n".join(["[pins]", *lines]))
        file.chmod(0o600)
        return ["--secrets", str(file)]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    server = Server(dict(PINS))

    def job(phone, order, ledger, secret, manner, stack) -> Job:
        made = Job(order, phone, ledger, lambda: server, secret, MemoryRegistrar)
        made.make_key = lambda _bits: KEY
        return made

    made = Office(tmp_path, server)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(preparing, "job_for", job)
    monkeypatch.setattr(Lock, "of", lambda *_: LOCK)
    monkeypatch.setattr(Manner, "scene", lambda *_: None)  # there is no server to look at
    monkeypatch.setattr("usbprov.cli.secret._prompt", partial(typed_into, made))
    (tmp_path / "users.csv").write_text(ROSTER)
    return made


def typed_into(office: Office, text: str, _kind: str) -> str:
    office.typed.append(text)
    return PASSPHRASE if "passphrase" in text else "Lab-1"


def test_every_phone_has_a_file_and_the_passphrase_is_asked_for_once(
    office: Office, capsys
) -> None:
    assert office.prepare(*office.write_pins(PINS)) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["outcome"] == "prepared"
    assert [Path(told["file"]) for told in document["files"]] == office.files
    users = [open_sealed(file, PASSPHRASE)[1].settings.sip_uri for file in office.files]
    assert users == [f"sip:{name}@contoso.test" for name in ("alice", "bob", "carol")]
    assert open_sealed(office.files[1], PASSPHRASE)[1].phone.serial == "S2"
    assert office.typed == ["passphrase of all files: ", "passphrase again: "]
    assert stat.S_IMODE(office.files[0].parent.stat().st_mode) == 0o700


def test_who_fails_stops_nobody_and_a_repeat_does_the_rest(office: Office, capsys) -> None:
    wrong = office.write_pins(PINS | {"1002": "111111"})
    assert office.prepare(*wrong) == ExitCode.SOME_FAILED
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == "OFF-13"
    assert [file.exists() for file in office.files] == [True, False, True]
    assert [told["outcome"] for told in document["files"]] == ["prepared", "failed", "prepared"]
    made = office.files[0].read_bytes()

    office.server.tried.clear()
    assert office.prepare(*office.write_pins(PINS)) == ExitCode.DONE
    outcomes = [told["outcome"] for told in json.loads(capsys.readouterr().out)["files"]]
    assert outcomes == ["already-prepared", "prepared", "already-prepared"]
    assert len(office.server.tried) == 1
    assert office.files[0].read_bytes() == made


def test_an_account_that_is_refused_is_not_sent_again(office: Office) -> None:
    assert office.prepare("--login", "CONTOSO\\admin") == ExitCode.SOME_FAILED
    assert len(office.server.tried) == 1


def test_a_wrong_passphrase_ends_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = office.write_pins(PINS)
    office.prepare(*pins)
    before = [file.read_bytes() for file in office.files]
    other = Lock(LOCK.cost, LOCK.salt, bytes(32), bytes(32))
    monkeypatch.setattr(Lock, "of", lambda *_: other)
    office.server.tried.clear()
    assert office.prepare(*pins) == ExitCode.SOME_FAILED
    assert [file.read_bytes() for file in office.files] == before
    assert office.server.tried == []


def test_a_roster_that_does_not_say_which_phone_is_refused(office: Office, capsys) -> None:
    (office.folder / "users.csv").write_text("extension,mac\n1001,0004f2000001\n1002,\n")
    assert office.prepare(*office.write_pins(PINS)) == ExitCode.USAGE
    assert "line 3" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert office.typed == []
