"""The command lines of request, prepare and apply: what they refuse, before anything is asked."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from usbprov.cli import secret
from usbprov.cli.main import run
from usbprov.cli.provisioning import Manner
from usbprov.engine.order import CredentialOrder, Order
from usbprov.errors import ExitCode
from usbprov.offline.envelope import Lock, seal
from usbprov.offline.files import SealedFile, open_sealed
from usbprov.offline.package import Package, present
from usbprov.offline.unseen import unseen_phone
from usbprov.pki.scrypt import Cost
from usbprov.usb.locks import PhoneLocks

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
PASSPHRASE = "correct horse battery"
CHEAP = Cost(1 << 12, 8, 1)
MAC = ["--mac", "00:04:f2:ab:cd:ef"]
BASE = ["--extension", "1001", "--web-services-url", URL]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.fixture
def descriptor() -> Iterator[str]:
    read, write = os.pipe()
    os.write(write, f"{PASSPHRASE}\n".encode())
    os.close(write)
    yield str(read)
    os.close(read)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run([*arguments, "--json"]) != ExitCode.DONE
    error: dict[str, object] = json.loads(capsys.readouterr().out)["error"]
    return error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (BASE, "--mac is missing"),
        ([*MAC, "--extension", "1001"], "--web-services-url is missing"),
        ([*MAC, *BASE, "--pin-stdin", "--passphrase-stdin"], "one secret only"),
        ([*MAC, *BASE, "--vault-passphrase-stdin", "--passphrase-stdin"], "one secret only"),
        ([*MAC, *BASE, "--key", "vault"], "needs --serial"),
        ([*MAC, *BASE, "--secrets", __file__], "goes with --roster"),
        (["--roster", __file__, *MAC, *BASE], "do not go together"),
        (["--roster", __file__, "--serial", "S1", *BASE], "go with --mac"),
        (["--roster", __file__, *BASE], "one phone's"),
        ([*MAC, *BASE, "--replaces", "OLD"], "needs --key vault"),
        (["--mac", "nonsense", *BASE], "no MAC address"),
        (["--mac", "01:00:5e:00:00:01", *BASE], "of one device"),
    ],
)
def test_prepare_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    out = str(tmp_path / "out")
    assert words in str(refused(capsys, "prepare", "--out", out, *arguments)["message"])
    assert not Path(out).exists()


def test_a_short_passphrase_is_refused(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(secret, "_prompt", lambda *_: "short")
    error = refused(capsys, "prepare", "--out", str(tmp_path / "out"), *MAC, *BASE)
    assert "8 characters at least" in str(error["message"])


def test_a_new_passphrase_is_asked_for_twice(tmp_path: Path, capsys, monkeypatch) -> None:
    typed = iter(["correct horse battery", "correct horse batterie"])
    monkeypatch.setattr(secret, "_prompt", lambda *_: next(typed))
    error = refused(capsys, "prepare", "--out", str(tmp_path / "out"), *MAC, *BASE)
    assert "in two ways" in str(error["message"])


@pytest.mark.parametrize("option", [["--mac", "00:04:f2:ab:cd:ee"], [*MAC, "--serial", "S1"]])
def test_a_file_of_another_phone_is_not_taken(
    tmp_path: Path, capsys, descriptor: str, option: list[str]
) -> None:
    out = tmp_path / "out"
    begun = Package(present(), unseen_phone("00:04:f2:ab:cd:ef", None, None))
    out.write_bytes(seal(begun.encode(), Lock.new(PASSPHRASE, CHEAP)))
    before = out.read_bytes()
    given = ["--passphrase-fd", descriptor, "--out", str(out)]
    error = refused(capsys, "prepare", *option, *BASE, *given)
    assert error["code"] == "OFF-12"
    assert out.read_bytes() == before


def test_a_file_that_is_something_else_is_not_written_over(
    tmp_path: Path, capsys, descriptor: str
) -> None:
    out = tmp_path / "out"
    out.write_text("somebody's notes")
    given = ["--passphrase-fd", descriptor, "--out", str(out)]
    assert refused(capsys, "prepare", *MAC, *BASE, *given)["code"] == "OFF-01"
    assert out.read_text() == "somebody's notes"


def test_an_unfinished_file_is_not_applied(tmp_path: Path, capsys, descriptor: str) -> None:
    file = tmp_path / "alice.usbprov"
    begun = Package(present(), unseen_phone("00:04:f2:ab:cd:ef", None, None))
    SealedFile(file, Lock.new(PASSPHRASE, CHEAP)).write(begun)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    error = refused(capsys, "apply", str(file), "--passphrase-fd", descriptor)
    assert (error["code"], error["exit_code"]) == ("OFF-06", ExitCode.INTERRUPTED)
    assert open_sealed(file, PASSPHRASE)[1] == begun


def test_a_request_for_another_user_is_not_prepared(tmp_path: Path, capsys, monkeypatch) -> None:
    from test_offline_documents import ASKED

    file = tmp_path / "alice.request"
    file.write_bytes(ASKED.encode())
    given = ["--request", str(file), "--out", str(tmp_path / "out"), "--extension", "1001"]
    error = refused(capsys, "prepare", *given, "--user", "bob@contoso.test")
    assert "sip:alice@contoso.test" in str(error["message"])
    error = refused(capsys, "prepare", *given, "--mac", "00:04:f2:ab:cd:ef")
    assert "do not go together" in str(error["message"])
    error = refused(capsys, "prepare", *given, "--key", "host")
    assert "do not go together" in str(error["message"])


@pytest.mark.parametrize("arguments", [[], ["--user", "alice@contoso.test"]])
def test_request_says_what_is_missing(tmp_path: Path, capsys, arguments: list[str]) -> None:
    given = ["request", "--out", str(tmp_path / "out"), *arguments]
    assert refused(capsys, *given)["exit_code"] == ExitCode.USAGE


@pytest.mark.parametrize("key", ["file {out}", "phone  00:04:f2:ab:cd:ef"])
def test_two_programs_are_not_at_one_job(tmp_path: Path, capsys, descriptor: str, key: str) -> None:
    out = tmp_path / "out"
    given = ["--passphrase-fd", descriptor, "--out", str(out)]
    with PhoneLocks(Path(os.environ["USBPROV_LOCK_DIR"])).hold(key.format(out=out.resolve())):
        error = refused(capsys, "prepare", *MAC, *BASE, *given)
    assert error["code"] == "JOB-02"
    assert not out.exists()


def test_no_server_is_looked_at_where_none_may_be() -> None:
    order = Order(URL, CredentialOrder(()))
    assert Manner(may_look=False).scene(order, "trust") is None
    assert Manner().scene(order, "trust") is not None
